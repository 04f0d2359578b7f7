// Package reads has the reads of a search for root: a read of a disk whose session is down would
// hold the search until the session is back, or the kernel gives it up (recovery_tmo), also where
// root is on a mirror that has another leg.
package reads

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/contain"
)

// Sessions are the sessions of the disks.
type Sessions interface {
	// SessionsOf returns the indexes of the sessions of a disk, a multipath map or a partition
	// by its name; none: it is of no session.
	SessionsOf(device string) []int
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
	of       []while
	stop     []context.CancelCauseFunc
}

// while is the context of reads from the disks of these sessions.
type while struct {
	sessions []int
	ctx      context.Context
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
// session goes down, with a *DownError, or all sessions of a multipath map.
func (r *Set) On(name string) context.Context {
	all := r.sessions.SessionsOf(name)
	if len(all) == 0 {
		return r.ctx
	}
	for _, w := range r.of {
		if slices.Equal(w.sessions, all) {
			return w.ctx
		}
	}
	ctx := r.whileUp(all)
	r.of = append(r.of, while{all, ctx})
	return ctx
}

// whileUp returns a context that ends when all of these sessions are down. No read is begun if they
// are down already.
func (r *Set) whileUp(all []int) context.Context {
	ctx, stop := context.WithCancelCause(r.ctx)
	r.stop = append(r.stop, stop)
	down := &DownError{}
	for _, i := range all {
		sid, target := r.sessions.Describe(i)
		down.add(sid, target)
	}
	if Down(r.sessions, all...) {
		stop(down)
		return untilDown{ctx}
	}
	contain.Go("wait for an outage", func() { // ends with ctx
		if waitDown(ctx, r.sessions, all) == nil {
			stop(down)
		}
	}, nil)
	return untilDown{ctx}
}

// waitDown waits until all of these sessions are down at the same time.
func waitDown(ctx context.Context, s Sessions, all []int) error {
	for {
		for _, i := range all {
			if err := s.WaitDown(ctx, i); err != nil {
				return err
			}
		}
		if len(all) == 1 || Down(s, all...) {
			return nil
		}
	}
}

// Open opens a device with its context.
func (r *Set) Open(path string) (*blockdev.File, error) {
	return Opener(r.On(filepath.Base(path)))(path)
}

// Down reports whether all of these sessions have been down for a while.
func Down(s Sessions, all ...int) bool {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for _, i := range all {
		if s.WaitDown(ended, i) != nil {
			return false
		}
	}
	return true
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

// DownError reports that a disk was not read, or not to the end, because its session is down; that
// of a multipath map: all its sessions are.
type DownError struct{ sessions []string }

func (e *DownError) add(sid uint32, target string) {
	e.sessions = append(e.sessions, fmt.Sprintf("session %d to %s", sid, target))
}

// Error implements error.
func (e *DownError) Error() string {
	if len(e.sessions) == 1 {
		return e.sessions[0] + " is down"
	}
	return strings.Join(e.sessions, " and ") + " are down"
}
