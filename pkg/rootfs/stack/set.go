package stack

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/contain"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/arrays"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/calls"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/maps"
)

// limit is for how long a deactivation is waited for.
const limit = 5 * time.Second

// Set is what the layers have activated.
type Set struct {
	Log   sequence.Logger
	Calls *calls.Set // for deactivations that do not return
	All   []*Active  // in the order of their activation
}

// Add adds what was activated for a stack.
func (s *Set) Add(sk *Stack) {
	for _, a := range sk.Active {
		s.All = slices.DeleteFunc(s.All, func(old *Active) bool { return old.same(a.Layer, a.Assembly.Name) })
		s.All = append(s.All, a)
	}
}

// Deactivate deactivates the devices on a disk, the last first; blockdev.ErrInUse: one is in use.
func (s *Set) Deactivate(ctx context.Context, disk string) error {
	for i := len(s.All) - 1; i >= 0; i-- {
		a := s.All[i]
		if !slices.ContainsFunc(a.Assembly.Members, func(d *blockdev.Device) bool { return d.On(disk) }) {
			continue
		}
		err := s.within(ctx, a)
		switch {
		case errors.Is(err, unix.EBUSY):
			return blockdev.ErrInUse
		case err != nil:
			return fmt.Errorf("%s of %s: %w", a.Layer.Name(), a.Assembly.Name, err)
		}
		s.All = slices.Delete(s.All, i, i+1)
	}
	return nil
}

// DeactivateOthers deactivates the arrays and volumes that are not in use, and on which none of
// these devices stands.
func (s *Set) DeactivateOthers(ctx context.Context, keep []*blockdev.Device) {
	for i := len(s.All) - 1; i >= 0; i-- {
		a := s.All[i]
		if a.below(keep) || ofDisk(a.Layer) {
			continue
		}
		err := s.within(ctx, a)
		switch {
		case errors.Is(err, unix.EBUSY):
		case err != nil:
			s.Log.Warnf("%s of %s: %v", a.Layer.Name(), a.Assembly.Name, err)
		default:
			s.All = slices.Delete(s.All, i, i+1)
		}
	}
}

// ofDisk reports whether a layer's devices stay as long as the disk: partitions, also those of a
// multipath map, which the real system may need.
func ofDisk(l blockdev.Layer) bool {
	switch l.(type) {
	case *Partitions, *maps.Partitions:
		return true
	}
	return false
}

// below reports whether any of these devices is one of the assembly, or stands on one.
func (a *Active) below(devices []*blockdev.Device) bool {
	return slices.ContainsFunc(devices, func(d *blockdev.Device) bool { return d.In(a.Devices) || a.below(d.Parents) })
}

// within deactivates an assembly within limit: the kernel writes to the members of some, and waits
// for a target that does not respond. The goroutine ends when the kernel returns, and removes
// nothing more then.
func (s *Set) within(ctx context.Context, a *Active) error {
	defer sequence.Blocking(ctx, "deactivation of "+a.Assembly.Name)()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	done := make(chan error, 1)
	end := s.Calls.Begin("deactivation of " + a.Assembly.Name)
	contain.Go("", func() {
		done <- func() error {
			defer end()
			return a.Layer.Deactivate(ctx, a.Assembly)
		}()
	}, func(err error) { done <- err })
	select {
	case err := <-done:
		if l, ok := a.Layer.(*arrays.Layer); ok && err == nil {
			l.Stopped(a.Assembly)
		}
		return err
	case <-ctx.Done():
		return fmt.Errorf("not deactivated: %w", ctx.Err())
	}
}
