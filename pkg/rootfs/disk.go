package rootfs

import (
	"context"
	"fmt"
	"slices"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/contain"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/reads"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/scan"
)

// newDisk returns the disk of a LUN of a session.
func newDisk(u blockdev.LUN) *blockdev.Device { return &blockdev.Device{Name: u.Disk, LUN: &u} }

// allDisks returns the disks of the sessions in the order of their count: those of LUNs that were
// scanned because the disks of the first scan do not have root come last.
func (st *Storage) allDisks() []*blockdev.Device { return slices.Concat(st.disks, st.late) }

// sessionOf returns the index of a disk's session, of a multipath map the first; -1: it is of no
// session.
func (st *Storage) sessionOf(d *blockdev.Device) int {
	if all := st.lunsOf(d); len(all) > 0 {
		return all[0].session
	}
	return -1
}

// lunsOf returns the LUN that a disk is, or those of a multipath map, in the order of the sessions.
func (st *Storage) lunsOf(d *blockdev.Device) (out []sessionLUN) {
	for i, s := range st.Sessions.List() {
		if d.LUN != nil && d.LUN.Session == s.SID {
			out = append(out, sessionLUN{i, *d.LUN})
		}
		for _, p := range st.places {
			if p.session == i && d.LUN == nil && p.unit != nil && p.unit.Name == d.Name {
				out = append(out, sessionLUN{i, p.lun})
			}
		}
	}
	return out
}

// ofSession reports whether the i-th session has any of these disks, and of these LUNs if some are
// given.
func (st *Storage) ofSession(i int, disks []*blockdev.Device, luns ...uint64) bool {
	return slices.ContainsFunc(disks, func(d *blockdev.Device) bool {
		return slices.ContainsFunc(st.lunsOf(d), func(u sessionLUN) bool {
			return u.session == i && (len(luns) == 0 || slices.Contains(luns, u.Number))
		})
	})
}

// paths returns the sessions that are paths to the i-th one's target, with that one, in their
// order: what one of them has is what all have.
func (st *Storage) paths(i int) (all []int) {
	for n, t := range st.Spec.Targets {
		if n == i || isPath(t) && isPath(st.Spec.Targets[i]) && t.SameLUNs(&st.Spec.Targets[i]) {
			all = append(all, n)
		}
	}
	return all
}

// FindDisks scans each session that is logged in for its LUN and waits for the disks, in the order
// of the sessions, which gives the disks the same names at every boot. A target without a disk
// stops no other, and neither does one whose session is lost meanwhile: the scan continues during
// the next steps then, and until it is over the target counts as one that is not there yet.
func (st *Storage) FindDisks(ctx context.Context) error {
	st.DeactivateUnused(ctx) // of an earlier attempt
	st.disks, st.late, st.places = nil, nil, nil
	scans, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, contain.Func("end of scans", cancel, nil))
	var all []*sessionScan
	for i := range st.Sessions.List() {
		if st.Sessions.Up(i) {
			all = append(all, st.beginScan(scans, i))
			if !isPath(st.Spec.Targets[i]) {
				st.awaitScan(ctx, all[len(all)-1])
			}
		}
	}
	st.awaitPaths(ctx, all)
	var found []sessionLUN
	for _, sc := range all {
		if sc.ended() && sc.err == nil {
			found = append(found, st.found(sc)...)
		}
	}
	st.disks = st.use(ctx, found)
	if len(st.disks) == 0 {
		defer cancel()
		return firstError(all)
	}
	if !stop() {
		return ctx.Err()
	}
	for _, sc := range all {
		st.leaveScan(sc)
	}
	return nil
}

// firstError waits for the end of all scans, none of which has found a disk so far, and returns the
// first retryable error, or else the first.
func firstError(all []*sessionScan) error {
	var first error
	for _, sc := range all {
		<-sc.done
		if sc.err != nil && (first == nil || sequence.Retryable(sc.err) && !sequence.Retryable(first)) {
			first = sc.err
		}
	}
	return first
}

// found logs the disks that a scan has found.
func (st *Storage) found(sc *sessionScan) (out []sessionLUN) {
	for _, u := range sc.luns {
		st.Log.Infof("%s", st.describe(sc.index, u))
		out = append(out, sessionLUN{sc.index, u})
	}
	return out
}

// describe names a disk for the log.
func (st *Storage) describe(i int, u blockdev.LUN) string {
	text := fmt.Sprintf("disk %s is lun %v of %s", u.Disk, iscsi.KernelLUN(u.Number), st.Sessions.List()[i].Target)
	if readOnly("/sys", u.Disk) {
		text += ", write-protected"
	}
	return text
}

// sessionDisks finds a session's disks: those of the first scan, see luns.go.
func (st *Storage) sessionDisks(ctx context.Context, i int) (luns []blockdev.LUN, err error) {
	s := st.Sessions.List()[i]
	known, err := blockdev.LUNs("/sys", s.SID)
	if err != nil {
		return nil, err
	}
	err = st.Sessions.RepeatIfLost(ctx, s, func(lost bool) (err error) {
		luns, err = st.scanLUN(ctx, i, st.kernel().Scanner(s, lost || len(known) > 0))
		return err
	})
	return luns, err
}

// scanLUN is one round of sessionDisks.
func (st *Storage) scanLUN(ctx context.Context, i int, sc scan.Scanner) (luns []blockdev.LUN, err error) {
	luns, err = st.firstDisks(ctx, i, func(lun uint64) ([]blockdev.LUN, error) { return sc.Scan(ctx, lun) })
	if err == nil && len(luns) == 0 {
		err = sc.NoDisk(ctx, st.Spec.Targets[i].LUN)
	}
	return luns, err
}

// LateDisks finds the disks of a target that came up after the others, or came back. The step
// "root" adds them. After ctx it ends with the system call that it is in, so that its caller can
// end the session where that does not return.
func (st *Storage) LateDisks(ctx context.Context, i int) {
	n := sequence.RetryLog{Log: st.Log, Step: "disk"}
	pause := sequence.Backoff{}
	for {
		luns, err := st.sessionDisks(ctx, i)
		switch {
		case ctx.Err() != nil:
			st.calls.Wait(st.Sessions.List()[i].SID)
			return
		case err != nil && sequence.Retryable(err):
			n.Failed(err)
			pause.Wait(ctx)
			continue
		case err != nil:
			st.Log.Warnf("%v", err)
		default:
			n.Succeeded()
		}
		for _, u := range luns {
			st.Log.Infof("%s", st.describe(i, u))
		}
		return
	}
}

// newDisks adds disks that the sessions got since they were scanned. They are counted by session.
// Those of a session of which some are counted already come after all others.
func (st *Storage) newDisks(ctx context.Context) {
	for i, s := range st.Sessions.List() {
		luns, err := blockdev.LUNs("/sys", s.SID)
		if err != nil || !st.Sessions.Up(i) {
			continue // the session is being restarted: its disks stay
		}
		lun := st.Spec.Targets[i].LUN
		list := &st.disks
		if slices.ContainsFunc(st.paths(i), func(i int) bool { return st.ofSession(i, st.allDisks()) }) {
			list = &st.late
		}
		var fresh []sessionLUN
		for _, u := range luns {
			if u.IsDisk() && u.Disk != "" && !st.known(u) && (!lun.Given() || slices.Contains(lun.V.KernelNumbers(), u.Number)) {
				fresh = append(fresh, sessionLUN{i, u})
			}
		}
		*list = append(*list, st.use(ctx, fresh)...)
	}
	st.sortDisks()
}

// known reports whether a disk is in use, by itself or as a path.
func (st *Storage) known(u blockdev.LUN) bool {
	return newDisk(u).In(st.allDisks()) || slices.ContainsFunc(st.places, func(p *place) bool { return p.Disk == u.Disk })
}

// sortDisks puts the disks in the order in which they are counted: by session, and in the order of
// the scan.
func (st *Storage) sortDisks() {
	for _, list := range [][]*blockdev.Device{st.disks, st.late} {
		for n := range list {
			for i := n; i > 0 && st.countedAt(list[i-1]) > st.countedAt(list[i]); i-- {
				list[i-1], list[i] = list[i], list[i-1]
			}
		}
	}
}

// answering returns the index of a disk's session, of a map the first that is up and not down now,
// or else the first; -1: it is of no session.
func (st *Storage) answering(d *blockdev.Device) int {
	all := st.lunsOf(d)
	for _, u := range all {
		if len(all) > 1 && st.Sessions.Up(u.session) && !reads.Down(diskSessions{st}, u.session) {
			return u.session
		}
	}
	return st.sessionOf(d)
}

// countedAt returns the index of the session whose disks a disk is counted with: of several paths
// to a target the first, also if that is not logged in.
func (st *Storage) countedAt(d *blockdev.Device) int {
	i := st.sessionOf(d)
	if i < 0 {
		return i
	}
	return st.paths(i)[0]
}

// reached reports whether any path to the i-th session's target is logged in.
func (st *Storage) reached(i int) bool { return slices.ContainsFunc(st.paths(i), st.Sessions.Up) }

// waiting lists the sessions whose login may still succeed and whose target no other path reaches:
// what they have is not known yet.
func (st *Storage) waiting() []int { return slices.DeleteFunc(st.Sessions.Waiting(), st.reached) }

// counted returns the disks whose place in the count is known: after a target that is not logged in
// the number of disks is unknown. With lost, a target that was given up is skipped.
func (st *Storage) counted(lost bool) []*blockdev.Device {
	var out []*blockdev.Device
	for at, d := range st.allDisks() {
		before := st.countedAt(d)
		if at >= len(st.disks) {
			before = len(st.Sessions.List())
		}
		for i := range before {
			if !st.reached(i) && (st.Sessions.Pending(i) || st.Sessions.Lost(i) && !lost) {
				return out
			}
		}
		out = append(out, d)
	}
	return out
}
