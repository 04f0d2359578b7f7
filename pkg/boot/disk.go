package boot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/contain"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// newDisk is the disk of a LUN of one of our sessions.
func newDisk(u blockdev.LUN) *blockdev.Device { return &blockdev.Device{Name: u.Disk, LUN: &u} }

// allDisks are the disks of our sessions in the order in which they count: those of
// LUNs that were looked at because the disks of the first scan do not have root
// count behind them.
func (m *Machine) allDisks() []*blockdev.Device { return slices.Concat(m.disks, m.late) }

// sessionOf returns the index of a disk's session; -1: it is of none of ours.
func (m *Machine) sessionOf(d *blockdev.Device) int {
	return slices.IndexFunc(m.sessions, func(s *session.Session) bool { return d.LUN != nil && s.SID == d.LUN.Session })
}

// ofSession tells whether the i-th session has any of these disks, and of these
// LUNs if some are given.
func (m *Machine) ofSession(i int, disks []*blockdev.Device, luns ...uint64) bool {
	return slices.ContainsFunc(disks, func(d *blockdev.Device) bool {
		return m.sessionOf(d) == i && (len(luns) == 0 || slices.Contains(luns, d.LUN.Number))
	})
}

// findDisks scans each session that is logged in for its LUN and waits for the
// disks, in the order of the sessions, which gives the disks the same names at
// every boot. A target without a disk stops no other, and neither does one whose
// session is lost meanwhile: the scan goes on beside the next steps then, and
// until it is over the target counts as one that is not there yet.
func (m *Machine) findDisks(ctx context.Context) error {
	m.disks, m.late, m.active = nil, nil, nil
	scans, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, contain.Func("end of scans", cancel, nil))
	var all []*sessionScan
	for i := range m.sessions {
		if m.logins.up(i) {
			all = append(all, m.beginScan(scans, i))
			m.awaitScan(ctx, all[len(all)-1])
		}
	}
	for _, sc := range all {
		if sc.ended() && sc.err == nil {
			m.takeDisks(sc)
		}
	}
	if len(m.disks) == 0 {
		defer cancel()
		return firstError(all)
	}
	if !stop() {
		return ctx.Err()
	}
	for _, sc := range all {
		m.leaveScan(sc)
	}
	return nil
}

// firstError waits for the end of all scans, none of which has found a disk so
// far, and returns the first error, or that of one that may still succeed.
func firstError(all []*sessionScan) error {
	var first error
	for _, sc := range all {
		<-sc.done
		if sc.err != nil && (first == nil || heals(sc.err) && !heals(first)) {
			first = sc.err
		}
	}
	return first
}

// takeDisks takes up what a scan has found.
func (m *Machine) takeDisks(sc *sessionScan) {
	for _, u := range sc.luns {
		m.Log.Infof("%s", m.describe(sc.index, u))
		m.disks = append(m.disks, newDisk(u))
	}
}

// leaveScan goes on without a session's disks: the scan, if it can still
// succeed, goes on beside the next steps.
func (m *Machine) leaveScan(sc *sessionScan) {
	switch {
	case sc.ended() && sc.err == nil:
	case sc.ended() && !heals(sc.err):
		m.Log.Warnf("%v", sc.err)
	default:
		m.logins.later(sc.index, func(ctx context.Context) {
			defer context.AfterFunc(ctx, contain.Func("end of a scan", sc.cancel, nil))()
			<-sc.done
			if sc.err != nil && heals(sc.err) {
				m.lateDisks(ctx, sc.index)
			}
		})
	}
}

// sessionScan is the scan of one session, in a goroutine of its own.
type sessionScan struct {
	index  int // of the session
	cancel context.CancelFunc
	done   chan struct{} // closed at its end
	luns   []blockdev.LUN
	err    error
}

func (m *Machine) beginScan(ctx context.Context, i int) *sessionScan {
	sc := &sessionScan{index: i, done: make(chan struct{})}
	ctx, sc.cancel = context.WithCancel(ctx)
	contain.Go("scan", func() {
		defer close(sc.done)
		sc.err = contain.Call("", func() (err error) {
			sc.luns, err = m.sessionDisks(ctx, i)
			return err
		})
	}, nil)
	return sc
}

func (sc *sessionScan) ended() bool {
	select {
	case <-sc.done:
		return true
	default:
		return false
	}
}

// awaitScan returns when a scan has ended, or its session has been down for a
// while and there are others to scan.
func (m *Machine) awaitScan(ctx context.Context, sc *sessionScan) {
	down := make(chan struct{})
	if guard := m.guard.Load(); guard != nil && len(m.sessions) > 1 {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		contain.Go("wait for an outage", func() {
			if guard.WaitDown(ctx, m.sessions[sc.index], latecomers) == nil {
				close(down)
			}
		}, nil)
	}
	select {
	case <-sc.done:
	case <-down:
	}
}

// describe names a disk for the log.
func (m *Machine) describe(i int, u blockdev.LUN) string {
	text := fmt.Sprintf("disk %s is lun %v of %s", u.Disk, iscsi.KernelLUN(u.Number), m.sessions[i].Target)
	if readOnly("/sys", u.Disk) {
		text += ", write-protected"
	}
	return text
}

// sessionDisks finds a session's disks: those of the first scan, see luns.go.
func (m *Machine) sessionDisks(ctx context.Context, i int) (luns []blockdev.LUN, err error) {
	s := m.sessions[i]
	known, err := blockdev.LUNs("/sys", s.SID)
	if err != nil {
		return nil, err
	}
	err = m.steadily(ctx, s, func(lost bool) (err error) {
		sc := scanner{m: m, s: s, doubtful: lost || len(known) > 0, probed: map[string]bool{}}
		luns, err = m.scanLUN(ctx, i, sc)
		return err
	})
	return luns, err
}

// scanLUN is one round of that.
func (m *Machine) scanLUN(ctx context.Context, i int, sc scanner) (luns []blockdev.LUN, err error) {
	luns, err = m.firstDisks(ctx, i, func(lun uint64) ([]blockdev.LUN, error) { return sc.scan(ctx, lun) })
	if err == nil && len(luns) == 0 {
		err = m.noDisk(ctx, sc, m.spec.Targets[i].LUN)
	}
	return luns, err
}

// forms are the kernel's numbers that a LUN may have. Above 255 a target should
// use flat space addressing, as tgtd does, and LIO writes the plain number all
// the same (int_to_scsilun in Linux's drivers/scsi/scsi_common.c).
func forms(l iscsi.LUN) []uint64 {
	out := []uint64{l.Kernel()}
	if n, ok := l.Number(); ok && uint64(n) != l.Kernel() {
		out = append(out, uint64(n))
	}
	return out
}

// lateDisks finds the disks of a target that came up after the others, or came
// back. The step that looks for root takes them up.
func (m *Machine) lateDisks(ctx context.Context, i int) {
	n := nag{log: m.Log, step: "disk"}
	pause := backoff{}
	for {
		luns, err := m.sessionDisks(ctx, i)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && heals(err):
			n.failed(err)
			pause.wait(ctx)
			continue
		case err != nil:
			m.Log.Warnf("%v", err)
		default:
			n.healed()
		}
		for _, u := range luns {
			m.Log.Infof("%s", m.describe(i, u))
		}
		return
	}
}

// newDisks takes up disks that our sessions were given since they were scanned.
// They are counted by session. Those of a session of which some are counted
// already come behind all others.
func (m *Machine) newDisks() {
	for i, s := range m.sessions {
		luns, err := blockdev.LUNs("/sys", s.SID)
		if err != nil || !m.logins.up(i) {
			continue // the session is being restarted: its disks stay
		}
		lun := m.spec.Targets[i].LUN
		list := &m.disks
		if m.ofSession(i, m.allDisks()) {
			list = &m.late
		}
		for _, u := range luns {
			known := newDisk(u).In(m.allDisks())
			if u.IsDisk() && u.Disk != "" && !known && (!lun.Given() || slices.Contains(forms(lun.V), u.Number)) {
				*list = append(*list, newDisk(u))
			}
		}
	}
	m.sortDisks()
}

// sortDisks puts the disks in the order in which they are counted.
func (m *Machine) sortDisks() {
	for _, list := range [][]*blockdev.Device{m.disks, m.late} {
		slices.SortStableFunc(list, func(a, b *blockdev.Device) int { return m.sessionOf(a) - m.sessionOf(b) })
	}
}

// counted returns the disks whose place in the count is known: behind a target
// that is not there nobody knows how many disks it has. With lost, a target that
// will never be there does not count.
func (m *Machine) counted(lost bool) []*blockdev.Device {
	var out []*blockdev.Device
	for at, d := range m.allDisks() {
		before := m.sessionOf(d)
		if at >= len(m.disks) {
			before = len(m.sessions)
		}
		for i := range before {
			if s := m.logins.state(i); s == loginPending || s == loginLost && !lost {
				return out
			}
		}
		out = append(out, d)
	}
	return out
}

// noDisk says what the target has instead.
func (m *Machine) noDisk(ctx context.Context, sc scanner, lun bootspec.Value[iscsi.LUN]) error {
	s := sc.s
	if lun.Given() {
		// What there is instead is found only now; the wait is for their sizes.
		var slow *notReadyError
		if _, err := sc.scan(ctx, kernel.ScanAll); err != nil && !errors.As(err, &slow) && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
	}
	luns, err := blockdev.LUNs("/sys", s.SID)
	if err != nil {
		return err
	}
	var have []string
	for _, u := range luns {
		have = append(have, fmt.Sprintf("lun %v is %s", iscsi.KernelLUN(u.Number), whatIs(u)))
	}
	seen := "it presents no LUN"
	if len(have) > 0 {
		seen = strings.Join(have, ", ")
	}
	if lun.Given() {
		return withHint(fmt.Errorf("target %s has no disk at lun %v: %s", s.Target, lun.V, seen), correctLUN(lun))
	}
	return withHint(fmt.Errorf("target %s has no disk: %s", s.Target, seen), "map a disk for this initiator at the target")
}

// whatIs describes a logical unit.
func whatIs(u blockdev.LUN) string {
	if u.Absent {
		return "without a device"
	}
	if !u.IsDisk() {
		return fmt.Sprintf("not a disk (SCSI type %d)", u.Type)
	}
	disk, err := blockdev.Read("/sys", u.Disk)
	switch {
	case u.Disk == "" || err != nil:
		return "a disk"
	case disk.Size == 0:
		return "a disk that is not ready"
	}
	return fmt.Sprintf("a disk of %d MiB", disk.Size>>20)
}
