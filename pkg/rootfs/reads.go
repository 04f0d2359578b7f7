package rootfs

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/contain"
)

// reads are the contexts for the reads of one search. A read of a disk whose session is down would
// hold the search until the session is back, or the kernel gives it up (recovery_tmo), also where
// root is on a mirror that has another leg.
type reads struct {
	st   *Storage
	ctx  context.Context
	of   map[int]context.Context // by session
	stop []context.CancelCauseFunc
}

// end ends the contexts.
func (r *reads) end() {
	for _, stop := range r.stop {
		stop(nil)
	}
}

// on returns the context for reads of a disk or a partition by its name: it ends when the disk's
// session goes down, with a *downError.
func (r *reads) on(name string) context.Context {
	disks := r.st.allDisks()
	at := slices.IndexFunc(disks, func(d *blockdev.Device) bool {
		return d.Name == name || d.Name == strings.TrimRight(name, "0123456789") // sda2
	})
	if at < 0 {
		return r.ctx
	}
	i := r.st.sessionOf(disks[at])
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
func (r *reads) whileUp(i int) context.Context {
	ctx, stop := context.WithCancelCause(r.ctx)
	r.stop = append(r.stop, stop)
	s := r.st.Sessions.List()[i]
	down := &downError{s.SID, s.Target}
	if r.st.down(i) {
		stop(down)
		return untilDown{ctx}
	}
	contain.Go("wait for an outage", func() { // ends with ctx
		if r.st.Sessions.WaitDown(ctx, i) == nil {
			stop(down)
		}
	}, nil)
	return untilDown{ctx}
}

// open is opener with the context of each device.
func (r *reads) open(path string) (*blockdev.File, error) {
	return opener(r.on(filepath.Base(path)))(path)
}

// down reports whether a session has been down for a while.
func (st *Storage) down(i int) bool {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	return st.Sessions.WaitDown(ended, i) == nil
}

// untilDown is a context whose error is that of the session.
type untilDown struct{ context.Context }

// Err implements context.Context.
func (c untilDown) Err() error {
	var down *downError
	if errors.As(context.Cause(c.Context), &down) {
		return down
	}
	return c.Context.Err()
}

// downError reports that a disk was not read, or not to the end, because its session is down.
type downError struct {
	sid    uint32
	target string
}

// Error implements error.
func (e *downError) Error() string { return fmt.Sprintf("session %d to %s is down", e.sid, e.target) }
