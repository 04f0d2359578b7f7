package rootfs

import (
	"context"
	"fmt"
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
	end := st.calls.Begin(what + " at " + s.Target)
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

// Calls lists the system calls that a target has not answered and that are no longer waited for.
func (st *Storage) Calls() []string { return st.calls.List() }
