// Package reads has the reads of a search for root: a read of a disk whose session is down would
// hold the search until the session is back, or the kernel gives it up (recovery_tmo), also where
// root is on a mirror that has another leg.
package reads

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/contain"
)

// Sessions are the sessions of the disks.
type Sessions interface {
	// SessionOf returns the index of the session of a disk or a partition by its name; -1:
	// none.
	SessionOf(device string) int
	// Describe returns a session's id and its target.
	Describe(i int) (sid uint32, target string)
	// WaitDown waits until a session has been down for a while. If it has, it returns nil also
	// with a ctx that has ended.
	WaitDown(ctx context.Context, i int) error
}

// Set is the contexts for the reads of one search, for one goroutine.
type Set struct {
	sessions Sessions
	ctx      context.Context
	of       map[int]context.Context // by session
	stop     []context.CancelCauseFunc
}

// New returns the reads of a search that ends with ctx. The caller calls End.
func New(ctx context.Context, s Sessions) *Set { return &Set{sessions: s, ctx: ctx} }

// End ends the contexts.
func (r *Set) End() {
	for _, stop := range r.stop {
		stop(nil)
	}
}

// On returns the context for reads of a disk or a partition by its name: it ends when the disk's
// session goes down, with a *DownError.
func (r *Set) On(name string) context.Context {
	i := r.sessions.SessionOf(name)
	if i < 0 {
		return r.ctx
	}
	if r.of[i] == nil {
		if r.of == nil {
			r.of = map[int]context.Context{}
		}
		r.of[i] = r.whileUp(i)
	}
	return r.of[i]
}

// whileUp returns a context that ends when a session goes down. No read is begun if it is down
// already.
func (r *Set) whileUp(i int) context.Context {
	ctx, stop := context.WithCancelCause(r.ctx)
	r.stop = append(r.stop, stop)
	sid, target := r.sessions.Describe(i)
	down := &DownError{sid, target}
	if Down(r.sessions, i) {
		stop(down)
		return untilDown{ctx}
	}
	contain.Go("wait for an outage", func() { // ends with ctx
		if r.sessions.WaitDown(ctx, i) == nil {
			stop(down)
		}
	}, nil)
	return untilDown{ctx}
}

// Open opens a device with its context.
func (r *Set) Open(path string) (*blockdev.File, error) {
	return Opener(r.On(filepath.Base(path)))(path)
}

// Down reports whether a session has been down for a while.
func Down(s Sessions, i int) bool {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	return s.WaitDown(ended, i) == nil
}

// Opener returns how layers open the devices that they read: a read ends with ctx, also if the
// target does not answer, and the runner reports the device.
func Opener(ctx context.Context) blockdev.Opener {
	return func(path string) (*blockdev.File, error) {
		blocking := func() func() { return sequence.Blocking(ctx, "reading "+path) }
		defer blocking()()
		f, err := blockdev.Open(ctx, path)
		if err == nil {
			f.Watch(blocking)
		}
		return f, err
	}
}

// untilDown is a context whose error is that of the session.
type untilDown struct{ context.Context }

// Err implements context.Context.
func (c untilDown) Err() error {
	var down *DownError
	if errors.As(context.Cause(c.Context), &down) {
		return down
	}
	return c.Context.Err()
}

// DownError reports that a disk was not read, or not to the end, because its session is down.
type DownError struct {
	SID    uint32
	Target string
}

// Error implements error.
func (e *DownError) Error() string { return fmt.Sprintf("session %d to %s is down", e.SID, e.Target) }
