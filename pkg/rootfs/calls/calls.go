// Package calls keeps the system calls that wait for a target, which no context ends: a step leaves
// them, and a later one finds them.
package calls

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/contain"
)

// Set is the system calls that are under way. Its methods may be called from any goroutine.
type Set struct {
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

// Once runs a system call that ctx does not end, for a session: where the target does not answer,
// it is left when ctx ends. A later attempt waits for it, and does not begin another one.
func (c *Set) Once(ctx context.Context, sid uint32, what string, call func() error) error {
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
func (c *Set) join(sid uint32, what string, call func() error) *singleCall {
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

// Wait returns when no call of Once is under way for a session.
func (c *Set) Wait(sid uint32) {
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

// Begin adds a call, until end is called.
func (c *Set) Begin(what string) (end func()) {
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

// List lists the calls, in the order of their names.
func (c *Set) List() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []string
	for what := range c.under {
		out = append(out, *what)
	}
	for what := range c.single {
		out = append(out, what)
	}
	slices.Sort(out)
	return out
}
