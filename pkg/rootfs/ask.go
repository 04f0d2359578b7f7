package rootfs

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/contain"
)

// askSlack is how long a more exact error may come after the limit.
const askSlack = time.Second

// askTarget calls work, which sends commands to the target of a session, by RepeatIfLost. Its
// system calls do not return while the target does not respond, so it runs in a goroutine of its
// own: if it takes longer than limit, it is left there, and ends when the system call does. Its
// result is dropped then, so it must not write to shared variables; its context is cancelled, so
// that it begins no other call. A call that is left there delays the start of the real init
// (fs/exec.c: de_thread), so none is begun for a session that is down; Calls lists those that are
// left.
func askTarget[T any](ctx context.Context, st *Storage, i int, limit time.Duration, what string, work func(context.Context) (T, error)) (T, error) {
	defer sequence.Blocking(ctx, what)()
	type answer struct {
		value T
		err   error
	}
	s := st.Sessions.List()[i]
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	done := make(chan answer, 1)
	end := st.calls.begin(what + " at " + s.Target)
	contain.Go("", func() {
		defer end()
		var a answer
		a.err = st.Sessions.RepeatIfLost(limited, s, func(bool) (err error) {
			a.value, err = work(limited)
			return err
		})
		done <- a
	}, func(err error) { done <- answer{err: err} })
	late := time.NewTimer(limit + askSlack)
	defer late.Stop()
	var none T
	select {
	case a := <-done:
		return a.value, a.err
	case <-late.C:
		return none, sequence.AsRetryable(fmt.Errorf("target %s does not answer for %d s", s.Target, int(limit.Seconds())))
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// calls are the system calls that are under way.
type calls struct {
	mu     sync.Mutex // taken last
	under  map[*string]bool
	single map[string]*singleCall // by their names
}

// singleCall is a call that is made once at a time.
type singleCall struct {
	sid  uint32        // of its session
	done chan struct{} // closed at its end
	err  error         // then
}

// once runs a system call that ctx does not end, for a session: where the target does not answer,
// it is left when ctx ends. A later attempt waits for it, and does not begin another one.
func (c *calls) once(ctx context.Context, sid uint32, what string, call func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	defer sequence.Blocking(ctx, what)()
	k := c.join(sid, what, call)
	select {
	case <-k.done:
		return k.err
	case <-ctx.Done():
		return sequence.AsRetryable(fmt.Errorf("%s: no answer: %w", what, ctx.Err()))
	}
}

// join returns the call of this name, and begins it unless it is under way.
func (c *calls) join(sid uint32, what string, call func() error) *singleCall {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k := c.single[what]; k != nil {
		return k
	}
	if c.single == nil {
		c.single = map[string]*singleCall{}
	}
	k := &singleCall{sid: sid, done: make(chan struct{})}
	c.single[what] = k
	contain.Go("", func() { // ends when the system call does
		defer close(k.done)
		k.err = contain.Call("", call)
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.single, what)
	}, nil)
	return k
}

// wait returns when no call of once is under way for a session.
func (c *calls) wait(sid uint32) {
	c.mu.Lock()
	var left []*singleCall
	for _, k := range c.single {
		if k.sid == sid {
			left = append(left, k)
		}
	}
	c.mu.Unlock()
	for _, k := range left {
		<-k.done
	}
}

func (c *calls) begin(what string) (end func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.under == nil {
		c.under = map[*string]bool{}
	}
	c.under[&what] = true
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.under, &what)
	}
}

// Calls lists the system calls that a target has not answered and that are no longer waited for.
func (st *Storage) Calls() []string {
	st.calls.mu.Lock()
	defer st.calls.mu.Unlock()
	var out []string
	for what := range st.calls.under {
		out = append(out, *what)
	}
	for what := range st.calls.single {
		out = append(out, what)
	}
	slices.Sort(out)
	return out
}
