package rootfs

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/lvm"
	"github.com/iscsiroot/iscsiroot/pkg/md"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/reads"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/stack"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/volumes"
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
	unread []reads.Unread
	causes []error // why devices that may be meant cannot be used
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

// addCauses adds errors, each text once.
func (a *absence) addCauses(errs []error) {
	for _, err := range errs {
		if !slices.ContainsFunc(a.causes, func(c error) bool { return c.Error() == err.Error() }) {
			a.causes = append(a.causes, err)
		}
	}
}

// add adds what a search of arrays and volumes has seen.
func (a *absence) add(sk *stack.Stack) {
	a.addCauses(sk.Errs)
	for _, u := range sk.Parts.Unread {
		a.unread = append(a.unread, reads.UnreadOn(u.Device, u.Err)...)
	}
	if sk.Arrays != nil {
		a.addCauses(sk.Arrays.Errs)
		a.seen = append(a.seen, sk.Arrays.Seen...)
		for _, u := range sk.Arrays.Unread {
			a.unread = append(a.unread, reads.UnreadOn(u.Device, u.Err)...)
		}
	}
	if sk.Volumes != nil {
		a.addCauses(sk.Volumes.Errs)
		a.seen = append(a.seen, sk.Volumes.Seen...)
		for _, u := range sk.Volumes.Unread {
			a.unread = append(a.unread, reads.UnreadOn(u.Device, u.Err)...)
		}
	}
}

// describe describes what is in the way, to be appended to another error.
func (a *absence) describe() string {
	text := ""
	for _, err := range a.causes {
		text += "; " + err.Error()
	}
	return text + reads.Describe(a.unread)
}

// hint returns the hint of what is in the way of a volume; "": there is none.
func (a *absence) hint() string {
	for _, err := range a.causes {
		if h := sequence.Hint(err); h != "" {
			return h
		}
	}
	return ""
}

// lacksMembers reports whether a search has found a device that lacks members.
func lacksMembers(err error) bool {
	var lacks *lacksError
	a := absenceOf(err)
	return errors.As(err, &lacks) || a != nil && slices.ContainsFunc(a.causes, func(err error) bool {
		return errorAs[*lvm.MissingError](err) || errorAs[*md.MissingError](err)
	})
}

func errorAs[T error](err error) bool {
	var target T
	return errors.As(err, &target)
}

// together joins the errors of two parts of a search, both without a device.
func together(a, b error) error {
	all, more := absenceOf(a), absenceOf(b)
	for _, s := range more.seen {
		if !slices.Contains(all.seen, s) {
			all.seen = append(all.seen, s)
		}
	}
	all.unread = append(all.unread, more.unread...)
	all.addCauses(more.causes)
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
	return finder{
		all: func() error { return st.lookOn(ctx, kernelPaths, st.counted(true)) },
		at:  func(fresh []*blockdev.Device) error { return st.lookOn(ctx, kernelPaths, fresh) },
	}
}

// lookOn looks for an init on the partitions of disks, and only if there is none in the volumes, of
// which one after the other is activated, then on arrays, and in the volumes on them. Volumes that
// only the kernel can read come last.
func (st *Storage) lookOn(ctx context.Context, p paths, disks []*blockdev.Device) error {
	_, err := st.lookWith(ctx, p, disks, wants{}, blockdev.OnDisk)
	if !absent(err) {
		return err
	}
	if st.degraded { // their place in the count does not matter: the missing disks are not waited for
		disks = st.allDisks()
	}
	want := st.wantsForRoot()
	if err = st.lookInVolumes(ctx, p, disks, &want, err); !absent(err) {
		return err
	}
	if on, ok := want.onArrays(st.degraded); ok {
		want = on
		_, more := st.lookWith(ctx, p, disks, want.withoutContents(), blockdev.OnArray)
		if !absent(more) {
			return more
		}
		err = together(err, more)
		if err = st.lookInVolumes(ctx, p, disks, &want, err); !absent(err) {
			return err
		}
	}
	want.volumes.Hidden = true
	return st.lookInVolumes(ctx, p, disks, &want, err)
}

// lookInVolumes looks for an init in volumes, one after the other, that were not tried before. err
// is the absence so far.
func (st *Storage) lookInVolumes(ctx context.Context, p paths, disks []*blockdev.Device, want *wants, err error) error {
	for !want.volumes.None() {
		tried, more := st.lookWith(ctx, p, disks, *want, blockdev.OnMap)
		if !absent(more) {
			return more
		}
		err = together(err, more)
		if len(tried) == 0 {
			break
		}
		want.volumes.Tried = append(want.volumes.Tried, tried...)
	}
	return err
}

// lookWith looks for an init on devices of one kind, with these arrays and volumes, and returns
// which other volumes it tried to activate. What was activated stays only if root stands on it.
func (st *Storage) lookWith(ctx context.Context, p paths, disks []*blockdev.Device, want wants, kind blockdev.Base) (tried []string, err error) {
	r := st.newReads(ctx)
	defer r.End()
	sk := st.stackOf(ctx, p, disks, want, r)
	devices, err := sk.Likely(disks, kind)
	if err == nil {
		err = st.lookForInit(ctx, devices)
	}
	if a := absenceOf(err); a != nil {
		a.add(sk)
	}
	if err == nil {
		st.active.DeactivateOthers(ctx, []*blockdev.Device{st.root.Device})
	} else {
		st.DeactivateUnused(ctx)
	}
	for _, a := range sk.Tried {
		if _, ok := a.Layer.(*volumes.Layer); ok && !slices.Contains(want.volumes.Tried, a.Assembly.Name) {
			tried = append(tried, a.Assembly.Name)
		}
	}
	return tried, err
}

// choose returns the device that was found. Of several copies it is the first that holds an init.
func (st *Storage) choose(ctx context.Context, want bootspec.Device, devices []*blockdev.Device) error {
	if len(devices) == 1 {
		r := st.newReads(ctx)
		defer r.End()
		c, err := st.probe(r.On(devices[0].Name), devices[0])
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
	return "no file system with an init on " + e.where + ": " + strings.Join(e.seen, "; ") + e.describe()
}

// Hint returns a hint.
func (e *noInitError) Hint() string {
	if h := e.hint(); h != "" {
		return h
	}
	return "name it with root=/dev/sdXN, and the program with init=PATH"
}
