package dm

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
)

// Clear drops the table that is loaded and not in use.
func (c *Control) Clear(name string) error {
	_, _, err := c.device("drop the loaded table of", unix.DM_TABLE_CLEAR, &header{name: name}, nil)
	return err
}

// Change is a device in an [Control.Exchange].
type Change struct {
	Name string
	// Old is the table in use, to which the device goes back where it cannot be resumed with
	// the loaded one.
	Old table.Table
	// Last is the table for a device that can be resumed with neither; nil: there is none.
	Last     table.Table
	ReadOnly bool // as the option of Load
	Hold     bool // the device is suspended before another one is changed
	Udev     Udev // as of Resume
}

// Exchange makes the loaded tables of devices the ones in use, each device after those that it
// stands on. The devices to hold are suspended first, the last of them first; one without a loaded
// table goes on with the one it has. No file system is frozen, and I/O that a target has queued
// stays queued, as "lvchange --refresh" does it (lvm2 lib/activate/dev_manager.c: _tree_action).
//
// A program may stand on these devices itself: all memory is taken before the first is suspended,
// and none until the last is resumed. All are resumed after an error too; those above the one that
// has failed, and all if nothing was exchanged yet, have their old tables then.
func (c *Control) Exchange(changes []Change) error {
	x := exchange{ioctl: c.ioctl}
	for _, one := range changes {
		s, err := newStep(one)
		if err != nil {
			return fmt.Errorf("exchange table of dm device %s: %w", one.Name, err)
		}
		x.steps = append(x.steps, s)
	}
	// A collection stops all threads, and one of them may wait for memory that the kernel has
	// to write out first: to the suspended device.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	runtime.GC() // ends one that runs
	growStack(0)
	x.run()
	var errs []error
	for i, s := range x.steps {
		for _, err := range [...]error{s.suspendErr, s.resumeErr, s.backErr} {
			if err != nil {
				errs = append(errs, fmt.Errorf("exchange table of dm device %s: %w", changes[i].Name, err))
			}
		}
	}
	return errors.Join(errs...)
}

// growStack has the goroutine's stack be large enough for what follows.
//
//go:noinline
func growStack(i int) byte {
	var frame [8 << 10]byte
	return frame[i]
}

// exchange is an Exchange with its memory.
type exchange struct {
	ioctl func(command uint, b []byte) error
	steps []step
}

// step holds the buffers of the commands that a device may need, each of which is used once: the
// kernel writes its answer into them.
type step struct {
	hold, held                             bool
	suspend, resume, drop, reload, resume2 []byte
	last, resume3                          []byte // last is nil without such a table

	suspendErr, resumeErr, backErr error
}

func newStep(one Change) (step, error) {
	if err := errors.Join(checkName(one.Name, unix.DM_NAME_LEN), one.Old.Validate()); err != nil {
		return step{}, err
	}
	const flags = uint32(NoFlush | SkipLockFS)
	resume := header{name: one.Name, flags: flags, event: one.Udev.cookie()}
	old := header{name: one.Name, targets: uint32(len(one.Old))}
	if one.ReadOnly {
		old.flags = uint32(ReadOnly)
	}
	var last []byte
	if len(one.Last) > 0 {
		h := header{name: one.Name, targets: uint32(len(one.Last)), flags: old.flags}
		last = h.marshal(marshalTable(one.Last), 0)
	}
	return step{
		last:    last,
		resume3: resume.marshal(nil, 0),
		hold:    one.Hold,
		suspend: (&header{name: one.Name, flags: flags | unix.DM_SUSPEND_FLAG}).marshal(nil, 0),
		resume:  resume.marshal(nil, 0),
		drop:    (&header{name: one.Name}).marshal(nil, 0),
		reload:  old.marshal(marshalTable(one.Old), 0),
		resume2: resume.marshal(nil, 0),
	}, nil
}

// run allocates nothing.
func (x *exchange) run() {
	failed := false
	for i := len(x.steps) - 1; i >= 0 && !failed; i-- {
		s := &x.steps[i]
		if s.hold {
			s.suspendErr = x.ioctl(unix.DM_DEV_SUSPEND, s.suspend)
			s.held = s.suspendErr == nil
			failed = !s.held
		}
	}
	for i := range x.steps {
		failed = !x.resume(&x.steps[i], failed) || failed
	}
}

// resume resumes a device, with its old table where one below it has failed. One that was not held
// is suspended by the kernel before it gets its new table.
func (x *exchange) resume(s *step, keep bool) bool {
	if keep {
		s.backErr = x.ioctl(unix.DM_TABLE_CLEAR, s.drop)
		if !s.held {
			return false
		}
	}
	if s.resumeErr = x.ioctl(unix.DM_DEV_SUSPEND, s.resume); s.resumeErr == nil {
		return true
	}
	// It may be suspended with the new table (drivers/md/dm-ioctl.c: do_resume). Where the old
	// one cannot be loaded, because its disk is gone, the new one is tried again.
	s.backErr = x.ioctl(unix.DM_TABLE_LOAD, s.reload)
	err := x.ioctl(unix.DM_DEV_SUSPEND, s.resume2)
	if err != nil && s.last != nil {
		s.backErr = x.ioctl(unix.DM_TABLE_LOAD, s.last)
		err = x.ioctl(unix.DM_DEV_SUSPEND, s.resume3)
	}
	if err != nil {
		s.backErr = err
	}
	return false
}
