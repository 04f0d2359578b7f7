package boot

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/contain"
	"github.com/iscsiroot/iscsiroot/pkg/switchroot"
	"github.com/iscsiroot/iscsiroot/pkg/uevent"
)

// volume is a device with a file system.
type volume struct {
	*blockdev.Device
	FSType string // types to try, with commas if there are several
	Dirty  string // what the superblock says of an end that was not clean
}

// inits are the programs to look for.
func (m *Machine) inits() []string {
	if m.Plan.Init.Given() {
		return []string{m.Plan.Init.V}
	}
	return switchroot.DefaultInits()
}

// rootWait is for how long a root that was named is waited for: its disk is
// there when this begins, so only its partitions can be late.
const rootWait = 5 * time.Second

// findRoot decides which device is root and what file system it holds. While it
// is not found, and a target is not there yet, root may be on that one.
func (m *Machine) findRoot(ctx context.Context) error {
	if root := m.spec.Root; root.Delay.V > 0 {
		m.Log.Infof("waiting %v before looking for root (%s)", root.Delay.V, root.Delay.From)
		if err := sleep(ctx, root.Delay.V); err != nil {
			return err
		}
	}
	p := m.newPatience("root")
	for {
		changed := m.logins.change()
		waits := m.logins.waits()
		err := m.findRootNow(ctx, p)
		if err == nil || len(waits) == 0 {
			return err
		}
		m.detachLate(ctx)
		if !m.waitTarget(ctx, changed, err) {
			return err
		}
		m.newDisks()
	}
}

// waitTarget waits until changed is closed: another target is there, or will
// never be; not longer than rd.timeout= allows.
func (m *Machine) waitTarget(ctx context.Context, changed <-chan struct{}, reason error) bool {
	for _, i := range m.logins.waits() {
		m.Log.Warnf("%v: waiting for target %s", reason, m.sessions[i].Target)
	}
	if limit := m.Plan.Policy.Timeout.V; limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit-time.Since(m.started))
		defer cancel()
	}
	select {
	case <-changed:
		return true
	case <-ctx.Done():
		return false
	}
}

// findRootNow looks for root on the targets that are there.
func (m *Machine) findRootNow(ctx context.Context, p *patience) error {
	root := m.spec.Root
	if !root.Device.Given() {
		limit := time.Duration(0)
		if len(m.logins.waits()) > 0 {
			limit = rootWait // of two inits the one on a first LUN counts
		}
		return m.searchRoot(ctx, p, m.holding(ctx), limit)
	}
	err := m.searchRoot(ctx, p, m.named(ctx, root.Device.V), root.Wait.Or(rootWait))
	for _, other := range root.Fallbacks {
		var missing *notFoundError
		if !errors.As(err, &missing) {
			break
		}
		m.Log.Warnf("%v: trying %s %s", err, other.From, other.V)
		err = p.try(ctx, m.named(ctx, other.V).all)
	}
	return err
}

// searchRoot looks at the disks that there are, then at the other LUNs, and waits
// for a device that is absent for as long as limit. What else may bring it before
// is waited for first.
func (m *Machine) searchRoot(ctx context.Context, p *patience, f finder, limit time.Duration) error {
	err := p.try(ctx, f.all)
	first := time.Duration(0)
	if f.others || len(m.logins.waits()) > 0 {
		first = min(limit, rootWait)
	}
	if absent(err) && first > 0 {
		err = m.waitRoot(ctx, f, first, err)
	}
	if absent(err) {
		err = p.everywhere(ctx, err, f)
	}
	if absent(err) && limit > first {
		err = m.waitRoot(ctx, f, limit-first, err)
	}
	return err
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// waitRoot tries to find a device until it is there, for as long as limit. Only
// a device that is absent is waited for: one that is no root stays none. reason is
// the end of the last try.
func (m *Machine) waitRoot(ctx context.Context, f finder, limit time.Duration, reason error) error {
	began := time.Now()
	n := nag{log: m.Log, step: "root"}
	m.Log.Infof("%v: waiting for it", reason)
	for {
		changed := m.logins.change()
		left := limit - time.Since(began)
		err := m.tryRoot(ctx, f, min(max(left, 0), secondLine), changed)
		switch {
		case err == nil:
			n.healed()
			return nil
		case !absent(err), ctx.Err() != nil, time.Since(began) >= limit:
			return err
		}
		n.failed(err)
	}
}

// tryRoot looks for a device at once and after each event that may bring it.
// After limit, or when a target's login has changed, it returns what was wrong
// the last time: the disks of a target count from that change on, which is after
// their events.
func (m *Machine) tryRoot(ctx context.Context, f finder, limit time.Duration, changed <-chan struct{}) error {
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
	err := m.Uevents.Wait(wait, func(ev uevent.Event) (bool, error) {
		if ev.Action != "" && (ev.Subsystem != "block" || !f.events) {
			return false, nil
		}
		m.newDisks()
		last = f.all()
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

// lookForInit takes the first device with a file system with an init.
func (m *Machine) lookForInit(ctx context.Context, devices []*blockdev.Device) error {
	none := &noInitError{where: m.sessionNames()}
	for _, d := range devices {
		c, err := m.probe(ctx, d)
		if err == nil {
			err = m.look(ctx, c)
		}
		if err == nil {
			m.root = c
			m.Log.Infof("root is %s (%s): it holds an init", c.Path(), c.FSType)
			return nil
		}
		text := err.Error()
		if h := hint(err); h != "" {
			text += " (" + h + ")"
		}
		none.seen = append(none.seen, text)
		if passes(err) {
			none.unread = append(none.unread, unreadOn(d, err)...)
		}
	}
	return none
}

// probe finds a device's file system. One that rootfstype= names is believed;
// of several it is the one that is there.
func (m *Machine) probe(ctx context.Context, d *blockdev.Device) (volume, error) {
	defer doing(ctx, "reading the superblocks of "+d.Name)()
	given := m.spec.Root.FSType
	if given.Given() && !strings.Contains(given.V, ",") {
		return volume{Device: d, FSType: given.V}, nil
	}
	if given.Given() {
		fsys, err := blockdev.ProbeDevice(d.Path())
		return volume{Device: d, FSType: pick(given.V, fsys, err), Dirty: fsys.Dirty}, nil
	}
	return probeType(d)
}

// probeType finds a device's file system by its superblock.
func probeType(d *blockdev.Device) (volume, error) {
	fsys, err := blockdev.ProbeDevice(d.Path())
	if err == nil {
		if err = fsys.Root(); err != nil {
			err = fmt.Errorf("probe %s: %w", d.Path(), err)
		}
	}
	var several *blockdev.AmbiguousError
	if errors.As(err, &several) {
		err = withHint(err, "name it with rootfstype=")
	}
	if passes(err) {
		err = &unreadError{unreadOn(d, err), err}
	}
	return volume{Device: d, FSType: fsys.Type, Dirty: fsys.Dirty}, err
}

// pick returns the type of a list that a device holds, or the whole list where
// none of it was found.
func pick(list string, fsys blockdev.Filesystem, err error) string {
	found := []blockdev.Filesystem{fsys}
	var several *blockdev.AmbiguousError
	if errors.As(err, &several) {
		found = several.Found
	}
	for t := range strings.SplitSeq(list, ",") {
		for _, f := range found {
			if f.Type == t {
				return t
			}
		}
	}
	return list
}

// checkRoot makes sure that the real system can start before the initramfs is
// given up.
func (m *Machine) checkRoot(ctx context.Context) error {
	defer doing(ctx, "reading the files of "+m.root.Name)()
	var err error
	if m.initPath, err = switchroot.FindInit(sysroot, m.root.Path(), m.inits()); err != nil {
		if m.Plan.Init.Given() {
			return withHint(err, "correct init=")
		}
		return withHint(err, "is this the root file system? correct root=, or name the program with init=PATH")
	}
	if m.mounts, err = switchroot.MountPoints(sysroot, m.root.Path()); err != nil {
		return withHint(err, "or boot once with rw, so that they can be made")
	}
	return nil
}
