package rootfs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/clock"
	"github.com/iscsiroot/iscsiroot/pkg/contain"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/filesystem"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/reads"
	"github.com/iscsiroot/iscsiroot/pkg/switchroot"
	"github.com/iscsiroot/iscsiroot/pkg/uevent"
)

// inits are the programs to look for.
func (st *Storage) inits() []string {
	if st.Plan.Init.Given() {
		return []string{st.Plan.Init.V}
	}
	return switchroot.DefaultInits()
}

// rootWait is for how long the device of root= is waited for: its disk is ready before, so only its
// partitions can be late.
const rootWait = 5 * time.Second

// Find determines which device is root and what file system it holds. While it is not found, and a
// login is still tried, root may be on that target.
func (st *Storage) Find(ctx context.Context) (Volume, error) {
	err := st.findRoot(ctx)
	return st.root, err
}

func (st *Storage) findRoot(ctx context.Context) error {
	if root := st.Spec.Root; root.Delay.V > 0 {
		st.Log.Infof("waiting %v before looking for root (%s)", root.Delay.V, root.Delay.From)
		if err := clock.Sleep(ctx, root.Delay.V); err != nil {
			return err
		}
	}
	p := st.newRootSearch("root")
	return st.whileTargetsCome(ctx, false, func() error { return st.findRootNow(ctx, p) })
}

// whileTargetsCome searches until a device is found, as long as a login is still tried: the device
// may be on that target. A volume that can do without the members that are missing is activated
// without them after degradedWait, see lack.go. For a device that is optional, only such members
// are waited for.
func (st *Storage) whileTargetsCome(ctx context.Context, optional bool, search func() error) error {
	st.degraded, st.lack = false, lack{}
	for {
		st.noteLogins()
		changed := st.Sessions.Changed()
		waits := st.waiting()
		err := search()
		if ctx.Err() != nil {
			return err // members were not read
		}
		if st.degradable(err) && len(waits) == 0 || st.degradedDue(err) && !closed(changed) {
			st.Log.Warnf("%v: activating it without them", err)
			st.degraded = true
			continue
		}
		if err == nil || len(waits) == 0 || optional && !st.degradable(err) {
			return err
		}
		st.detachLate(ctx)
		if !st.waitTarget(ctx, changed, err) {
			return err
		}
		st.newDisks(ctx)
	}
}

// closed reports whether a channel to which nothing is sent is closed.
func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// waitTarget waits until changed is closed: another target is logged in, or was given up; not
// longer than rd.timeout= allows, nor, for members that a volume can do without, than degradedWait
// allows.
func (st *Storage) waitTarget(ctx context.Context, changed <-chan struct{}, reason error) bool {
	late := make(<-chan time.Time)
	limit := ""
	if left, ok := st.degradedIn(reason); ok {
		late = time.After(left)
		limit = fmt.Sprintf(" for %d s (%d s left), then it is activated without them", seconds(degradedWait), seconds(left))
	}
	for _, i := range st.waiting() {
		st.Log.Warnf("%v: waiting for target %s%s", reason, st.Sessions.List()[i].Target, limit)
	}
	if limit := st.Plan.Policy.Timeout.V; limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit-time.Since(st.Started))
		defer cancel()
	}
	select {
	case <-changed:
		return true
	case <-late:
		return true
	case <-ctx.Done():
		return false
	}
}

// findRootNow looks for root on the targets that are logged in.
func (st *Storage) findRootNow(ctx context.Context, p *rootSearch) error {
	root := st.Spec.Root
	if !root.Device.Given() {
		limit := time.Duration(0)
		if len(st.waiting()) > 0 {
			limit = rootWait // of two inits the one on a first LUN is used
		}
		return st.searchRoot(ctx, p, st.holding(ctx), limit)
	}
	err := st.searchRoot(ctx, p, st.named(ctx, root.Device.V), root.Wait.Or(rootWait))
	for _, other := range root.Fallbacks {
		var missing *notFoundError
		if !errors.As(err, &missing) || st.degradable(err) {
			break
		}
		st.Log.Warnf("%v: trying %s %s", err, other.From, other.V)
		err = p.try(ctx, st.named(ctx, other.V).all)
	}
	return err
}

// searchRoot searches the known disks, then the other LUNs, and waits up to limit for a device that
// is absent. Logins and scans that are under way are waited for before the other LUNs.
func (st *Storage) searchRoot(ctx context.Context, p *rootSearch, f finder, limit time.Duration) error {
	err := p.try(ctx, f.all)
	first := time.Duration(0)
	if f.others || len(st.waiting()) > 0 {
		first = min(limit, rootWait)
	}
	if absent(err) && first > 0 {
		err = st.waitRoot(ctx, f, first, err)
	}
	if absent(err) {
		err = p.everywhere(ctx, err, f)
	}
	if absent(err) && limit > first {
		err = st.waitRoot(ctx, f, limit-first, err)
	}
	return err
}

// waitRoot tries to find a device, up to limit. Only a device that is absent is waited for: one
// that cannot be root does not change. reason is the error of the last attempt.
func (st *Storage) waitRoot(ctx context.Context, f finder, limit time.Duration, reason error) error {
	began := time.Now()
	n := sequence.RetryLog{Log: st.Log, Step: "root"}
	st.Log.Infof("%v: waiting for it", reason)
	for {
		st.noteLogins()
		changed := st.Sessions.Changed()
		left := limit - time.Since(began)
		if due, ok := st.degradedIn(reason); ok {
			left = min(left, due) // rootwait has no limit
		}
		err := st.tryRoot(ctx, f, min(max(left, 0), sequence.SecondLine), changed)
		switch {
		case err == nil:
			n.Succeeded()
			return nil
		case !absent(err), ctx.Err() != nil, time.Since(began) >= limit, st.degradedDue(err):
			return err
		}
		n.Failed(err)
		reason = err
	}
}

// tryRoot looks for a device immediately and after each event that may add it. After limit, or when
// a target's login has changed, it returns the last error: the disks of a target are counted from
// that change on, which is after their events.
func (st *Storage) tryRoot(ctx context.Context, f finder, limit time.Duration, changed <-chan struct{}) error {
	wait, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	contain.Go("wait for a target", func() {
		select {
		case <-changed:
			cancel()
		case <-wait.Done():
		}
	}, nil)
	var last error
	err := st.Uevents().Wait(wait, func(ev uevent.Event) (bool, error) {
		// The events of arrays and volumes are those of the search itself.
		if ev.Action != "" && (ev.Subsystem != "block" || !f.events || strings.HasPrefix(ev.DevName, "dm-") || strings.HasPrefix(ev.DevName, "md")) {
			return false, nil
		}
		st.newDisks(ctx)
		last = f.all()
		st.noteLack(last)
		if absent(last) {
			return false, nil
		}
		return true, last
	})
	timeIsUp := errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) && ctx.Err() == nil
	if timeIsUp && last != nil {
		return last
	}
	return err
}

// lookForInit returns the first device with a file system with an init.
func (st *Storage) lookForInit(ctx context.Context, devices []*blockdev.Device) error {
	none := &noInitError{where: st.Sessions.Names()}
	r := st.newReads(ctx)
	defer r.End()
	for _, d := range devices {
		c, err := st.probe(r.On(d.Name), d)
		if err == nil {
			err = st.look(ctx, c)
		}
		if err == nil {
			st.root = c
			st.Log.Infof("root is %s (%s): it holds an init", c.Path(), c.FSType)
			return nil
		}
		text := err.Error()
		if h := sequence.Hint(err); h != "" {
			text += " (" + h + ")"
		}
		none.seen = append(none.seen, text)
		if reads.Temporary(err) {
			none.unread = append(none.unread, reads.UnreadOn(d, err)...)
		}
	}
	return none
}

// probe finds a device's file system. One in rootfstype= is not checked; of several it is the one
// that is found.
func (st *Storage) probe(ctx context.Context, d *blockdev.Device) (Volume, error) {
	if d.OnDamagedMember(reads.Opener(ctx), "/dev") {
		st.Log.Warnf("%s is used as a partition of %s, at whose end the superblock of an md array has a wrong checksum: if the disk is not a member, wipefs removes that", d.Name, d.Parents[0].Name)
	}
	return probeAs(ctx, d, st.Spec.Root.FSType.V)
}

// probeAs is probe for a device whose types are given; "": they are not.
func probeAs(ctx context.Context, d *blockdev.Device, given string) (Volume, error) {
	found, err := filesystem.Probe(ctx, d, given)
	if reads.Temporary(err) {
		err = &unreadError{reads.UnreadOn(d, err), err}
	}
	return Volume{Device: d, FSType: found.Types, Dirty: found.Dirty}, err
}

// eachType calls mount for the types that a volume may have, see filesystem.Each.
func (st *Storage) eachType(ctx context.Context, c Volume, mount func(Volume) error) error {
	return filesystem.Each(ctx, st.Load, c.FSType, func(t string) error {
		c.FSType = t
		return mount(c)
	})
}

// Check checks that the real system can start, while the initramfs still exists.
func (st *Storage) Check(ctx context.Context, root Volume) (start Start, err error) {
	defer sequence.Blocking(ctx, "reading the files of "+root.Name)()
	if start.Init, err = switchroot.FindInit(Sysroot, root.Path(), st.inits()); err != nil {
		if st.Plan.Init.Given() {
			return start, sequence.WithHint(err, "correct init=")
		}
		return start, sequence.WithHint(err, "check that this is the root file system; correct root=, or name the program with init=PATH")
	}
	if start.MountPoints, err = switchroot.MountPoints(Sysroot, root.Path()); err != nil {
		return start, sequence.WithHint(err, "or boot once with rw, which creates it")
	}
	return start, nil
}
