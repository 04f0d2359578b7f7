package rootfs

import (
	"context"
	"fmt"
	"slices"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/reads"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/scan"
	"github.com/iscsiroot/iscsiroot/pkg/uevent"
)

// The order in which the LUNs of a target are searched:
//
//  1. the step "disk" scans the LUN that a source names, and no other;
//  2. where no source names one: the LUN of a by-path name of root at this target;
//     without that, or if it is no disk, LUN 0; if that is no disk, all; if there is
//     no unit at all, one by one up to the first disk;
//  3. where no source names one and these disks do not have root: the target's
//     other LUNs, target by target as the sessions are counted, LUN by LUN from the
//     lowest number on, until one has it. The target lists them (REPORT LUNS).
//     Their disks come after those of 1 and 2 of all targets. The same applies to
//     /usr;
//  4. if a volume or an array was found and members of it were not: also the other LUNs
//     of the targets whose LUN a source names;
//  5. the step "hand-over" searches these LUNs for what root's volume group lacks
//     beside that (complete.go), and detaches what 3 and 4 have attached without
//     success (detach.go).
//
// A target that is not there yet, and a disk of this machine that rd.root.any allows, are waited
// for before 3, because their disks have lower numbers then.

// lunKernel is the kernel's part of that: tests have a fake.
type lunKernel interface {
	// Attached are the LUNs of a session that are attached.
	Attached(session int) ([]blockdev.LUN, error)
	// Report lists the LUNs that the target of a session's disk has, sorted.
	Report(ctx context.Context, session int, disk string) ([]uint64, error)
	// Attach scans a LUN, or all of them, and returns its disk when it is ready.
	Attach(ctx context.Context, session int, lun uint64) ([]blockdev.LUN, error)
	// Detach removes a LUN; blockdev.ErrInUse: its disk is mounted, or part of another device.
	Detach(ctx context.Context, session int, u blockdev.LUN) error
}

// lunOps returns the kernel's operations, or those of a test.
func (st *Storage) lunOps() lunKernel {
	if st.luns != nil {
		return st.luns
	}
	return st.kernel()
}

// kernel scans the sessions.
func (st *Storage) kernel() *scan.Kernel {
	return &scan.Kernel{Log: st.Log, Sessions: st.Sessions, Calls: &st.calls, Wait: func(ctx context.Context, done func(uevent.Event) (bool, error)) error {
		return st.Uevents().Wait(ctx, done)
	}}
}

// leftOpen reports whether a session is up and no source names its LUN.
func (st *Storage) leftOpen(i int) bool {
	return st.Sessions.Up(i) && i < len(st.Spec.Targets) && !st.Spec.Targets[i].LUN.Given()
}

// firstLUNs are the kernel's numbers that a session is scanned for, of which the first that is a
// disk is used.
func (st *Storage) firstLUNs(i int) []uint64 {
	target := st.Spec.Targets[i]
	if target.LUN.Given() {
		return target.LUN.V.KernelNumbers()
	}
	if lun, ok := st.lunOfPath(target.Name.V); ok && lun != 0 {
		return []uint64{lun, 0}
	}
	return []uint64{0}
}

// lunOfPath returns the LUN of a by-path name of root at a target.
func (st *Storage) lunOfPath(target string) (lun uint64, ok bool) {
	root := st.Spec.Root.Device
	return uint64(root.V.LUN), root.Given() && root.V.By == bootspec.ByPath && root.V.Text == target
}

// maxProbed is how far LUNs are tried one by one: those of a plain number (SAM-5 4.7.7.2).
const maxProbed = 255

// firstDisks returns the disks of a session's first scan. The kernel requests the list from LUN 0
// when it scans all, and the kernel ends the scan of a target that refuses even INQUIRY there
// (drivers/scsi/scsi_scan.c: __scsi_scan_target): its LUNs are tried one by one.
func (st *Storage) firstDisks(ctx context.Context, i int, scan func(lun uint64) ([]blockdev.LUN, error)) ([]blockdev.LUN, error) {
	if luns := st.LUNsOfPaths(i); len(luns) > 0 && !st.Spec.Targets[i].LUN.Given() {
		return scanAll(luns, scan)
	}
	for _, lun := range st.firstLUNs(i) {
		if found, err := scan(lun); err != nil || len(found) > 0 {
			return found, err
		}
	}
	if st.Spec.Targets[i].LUN.Given() {
		return nil, nil
	}
	if found, err := scan(kernel.ScanAll); err != nil || len(found) > 0 {
		return found, err
	}
	if have, err := st.lunOps().Attached(i); err != nil || len(have) > 0 {
		return nil, err
	}
	for lun := uint64(1); lun <= maxProbed; lun++ {
		if err := ctx.Err(); err != nil { // a scan of a LUN that does not exist does not read its size
			return nil, err
		}
		if found, err := scan(lun); err != nil || len(found) > 0 {
			return found, err
		}
	}
	return nil, nil
}

// scanAll scans for LUNs.
func scanAll(luns []uint64, scan func(lun uint64) ([]blockdev.LUN, error)) (all []blockdev.LUN, err error) {
	for _, lun := range luns {
		found, err := scan(lun)
		if err != nil {
			return all, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// onOtherLUNs looks for a device on the LUNs that were not scanned, and ends at the first one where
// it is not absent. reason is the error of the search before. Where a source names a target's LUN,
// the others are searched only for what a volume lacks that was found.
func (p *rootSearch) onOtherLUNs(ctx context.Context, reason error, f finder) error {
	err := reason
	for _, named := range []bool{false, true} {
		for i := range p.st.Sessions.List() {
			if !p.st.Sessions.Up(i) || p.st.leftOpen(i) == named || named && !lacksMembers(err) {
				continue
			}
			var ended bool
			if ended, err = p.onLUNsOf(ctx, i, err, f); ended {
				return err
			}
		}
	}
	return err
}

// onLUNsOf searches those of one session. ended: the search is over.
func (p *rootSearch) onLUNsOf(ctx context.Context, i int, err error, f finder) (ended bool, _ error) {
	st := p.st
	others := slices.DeleteFunc(st.paths(i), func(n int) bool { return n != i && (!st.Sessions.Up(n) || reads.Down(diskSessions{st}, n)) })
	for _, n := range others {
		before, uerr := st.lunOps().Attached(n)
		if uerr != nil {
			st.Log.Warnf("%v", uerr)
			return false, err
		}
		defer func() { st.noteSought(n, before) }()
	}
	luns, lerr := st.otherLUNs(ctx, i)
	if lerr != nil {
		err = st.withoutLUN(err, fmt.Errorf("the other LUNs of %s are not searched: %w", st.Sessions.List()[i].Target, lerr))
	}
	p.announce(i, len(luns), err)
	for _, lun := range luns {
		var units []sessionLUN
		var errs []error
		for _, n := range others {
			luns, aerr := st.lunOps().Attach(ctx, n, lun)
			if ctx.Err() != nil {
				return true, err
			}
			if aerr != nil {
				errs = append(errs, aerr)
			}
			for _, u := range luns {
				units = append(units, sessionLUN{n, u})
			}
		}
		if len(errs) == len(others) {
			err = st.withoutLUN(err, errs[0])
			continue
		}
		fresh := st.addLate(ctx, units)
		if len(fresh) == 0 {
			continue
		}
		found := f.at(fresh)
		if !absent(found) {
			return true, found
		}
		err = together(err, found)
	}
	return false, err
}

// announce logs, once for each target, that more LUNs are searched, and why.
func (p *rootSearch) announce(i, n int, reason error) {
	if n == 0 || p.announced[i] {
		return
	}
	if p.announced == nil {
		p.announced = map[int]bool{}
	}
	p.announced[i] = true
	noun := "LUN"
	if n > 1 {
		noun = "LUNs"
	}
	p.st.Log.Infof("%v: looking at %d more %s of %s", reason, n, noun, p.st.Sessions.List()[i].Target)
}

// withoutLUN adds to err that a LUN could not be attached, if a later attempt may succeed;
// otherwise it logs the cause.
func (st *Storage) withoutLUN(err, cause error) error {
	if !sequence.Retryable(cause) && !reads.Temporary(cause) {
		st.Log.Warnf("%v", cause)
		return err
	}
	return together(err, &notFoundError{absence: absence{unread: []reads.Unread{{Err: cause}}}})
}

// otherLUNs lists the LUNs of a session whose disks are not counted yet, sorted. Where the target
// does not list them, the kernel scans all, which attaches them. With a retryable error the list
// may be incomplete.
func (st *Storage) otherLUNs(ctx context.Context, i int) ([]uint64, error) {
	disk := st.diskOf(i)
	if disk == "" {
		return nil, nil // not scanned yet: the disks of the first scan come first
	}
	all, err := st.lunOps().Report(ctx, i, disk)
	if err != nil && sequence.Retryable(err) {
		return nil, err // a scan would fail too, for example if the session is down
	}
	if err != nil {
		st.Log.Debugf("%v", err)
		if _, err = st.lunOps().Attach(ctx, i, kernel.ScanAll); err != nil && !sequence.Retryable(err) {
			return nil, err
		}
		luns, uerr := st.lunOps().Attached(i)
		if uerr != nil {
			return nil, uerr
		}
		for _, u := range luns {
			if u.IsDisk() {
				all = append(all, u.Number)
			}
		}
	}
	all = slices.DeleteFunc(all, func(lun uint64) bool {
		return st.ofSession(i, st.allDisks(), lun)
	})
	return all, err
}

// diskOf returns the name of a disk of the i-th session; "": none is counted.
func (st *Storage) diskOf(i int) string {
	for _, d := range st.allDisks() {
		for _, u := range st.lunsOf(d) {
			if u.session == i {
				return u.Disk
			}
		}
	}
	return ""
}

// addLate adds disks after all others.
func (st *Storage) addLate(ctx context.Context, luns []sessionLUN) []*blockdev.Device {
	var new []sessionLUN
	for _, u := range luns {
		if !st.known(u.LUN) {
			st.Log.Infof("%s", st.describe(u.session, u.LUN))
			new = append(new, u)
		}
	}
	fresh := st.use(ctx, new)
	st.late = append(st.late, fresh...)
	return fresh
}
