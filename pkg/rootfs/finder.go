package rootfs

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

// finder is a way to look for a device. An error for which absent is true tells that there is none.
type finder struct {
	all func() error                   // looks at all disks that there are
	at  func([]*blockdev.Device) error // at these, which were added
	// events tells to look again at each event of the kernel's that may bring a device, and not
	// only when a target comes up.
	events bool
	// others: disks of this machine count too.
	others bool
}

// absence is the end of a search that found no device: it may still come.
type absence struct {
	seen   []string // what there is instead
	unread []unread
}

func (a *absence) met() *absence { return a }

// absenceOf returns what a search has met instead of a device; nil: it did not end so.
func absenceOf(err error) *absence {
	var a interface{ met() *absence }
	if errors.As(err, &a) {
		return a.met()
	}
	return nil
}

// absent reports whether a search ended without a device.
func absent(err error) bool { return absenceOf(err) != nil }

// together is the end of a search of which a and b are parts, both without a device.
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

// choose takes the device that was found. Of several copies it is the first that holds an init.
func (st *Storage) choose(ctx context.Context, want bootspec.Device, devices []*blockdev.Device) error {
	if len(devices) == 1 {
		c, err := st.probe(ctx, devices[0])
		st.root = c
		return err
	}
	st.Log.Warnf("root %s is the name of %d devices: the first with an init is taken", want, len(devices))
	return st.lookForInit(ctx, devices)
}

// noInitError says that no device holds an init.
type noInitError struct {
	where string
	absence
}

// Error implements error.
func (e *noInitError) Error() string {
	return "no file system with an init on " + e.where + ": " + strings.Join(e.seen, "; ") + describeUnread(e.unread)
}

// Hint returns what to do.
func (e *noInitError) Hint() string {
	return "name it with root=/dev/sdXN, and the program with init=PATH"
}
