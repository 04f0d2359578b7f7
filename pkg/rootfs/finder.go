package rootfs

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

// finder is a search for a device. An error for which absent is true means that there is none.
type finder struct {
	all func() error                   // searches all known disks
	at  func([]*blockdev.Device) error // searches these, which were added
	// events: search again at each event of the kernel that may add a device, and not only when
	// a target comes up.
	events bool
	// others: disks of this machine are searched too.
	others bool
}

// absence is the result of a search that found no device: it may appear later.
type absence struct {
	seen   []string // the devices that exist
	unread []unread
}

func (a *absence) asAbsence() *absence { return a }

// absenceOf returns the absence in an error of a search; nil: there is none.
func absenceOf(err error) *absence {
	var a interface{ asAbsence() *absence }
	if errors.As(err, &a) {
		return a.asAbsence()
	}
	return nil
}

// absent reports whether a search ended without a device.
func absent(err error) bool { return absenceOf(err) != nil }

// together joins the errors of two parts of a search, both without a device.
func together(a, b error) error {
	all, more := absenceOf(a), absenceOf(b)
	for _, s := range more.seen {
		if !slices.Contains(all.seen, s) {
			all.seen = append(all.seen, s)
		}
	}
	all.unread = append(all.unread, more.unread...)
	return a
}

// named finds the device that want names, and its file system.
func (st *Storage) named(ctx context.Context, want bootspec.Device) finder {
	choose := func(devices []*blockdev.Device, err error) error {
		if err != nil {
			return err
		}
		return st.choose(ctx, want, devices)
	}
	return finder{
		all:    func() error { return choose(st.search(ctx, kernelPaths, want)) },
		at:     func(fresh []*blockdev.Device) error { return choose(st.searchAt(ctx, kernelPaths, want, fresh)) },
		events: true, others: st.Spec.Root.AnyDisk.V,
	}
}

// holding finds the first device with an init.
func (st *Storage) holding(ctx context.Context) finder {
	look := func(devices []*blockdev.Device, err error) error {
		if err != nil {
			return err
		}
		return st.lookForInit(ctx, devices)
	}
	return finder{
		all: func() error { return look(st.everything(ctx, kernelPaths)) },
		at:  func(fresh []*blockdev.Device) error { return look(st.devicesOf(ctx, kernelPaths, fresh)) },
	}
}

// choose returns the device that was found. Of several copies it is the first that holds an init.
func (st *Storage) choose(ctx context.Context, want bootspec.Device, devices []*blockdev.Device) error {
	if len(devices) == 1 {
		c, err := st.probe(ctx, devices[0])
		st.root = c
		return err
	}
	st.Log.Warnf("root %s is the name of %d devices: using the first with an init", want, len(devices))
	return st.lookForInit(ctx, devices)
}

// noInitError reports that no device holds an init.
type noInitError struct {
	where string
	absence
}

// Error implements error.
func (e *noInitError) Error() string {
	return "no file system with an init on " + e.where + ": " + strings.Join(e.seen, "; ") + describeUnread(e.unread)
}

// Hint returns a hint.
func (e *noInitError) Hint() string {
	return "name it with root=/dev/sdXN, and the program with init=PATH"
}
