package boot

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/session"
	"github.com/iscsiroot/iscsiroot/pkg/uevent"
)

// disk is a disk of one of our sessions.
type disk struct {
	Name    string // "sda"
	LUN     uint64 // the kernel's number
	Target  string
	Portals []netip.AddrPort
	Session int // index of its session
}

func (m *Machine) newDisk(i int, u blockdev.Unit) disk {
	s := m.sessions[i]
	return disk{Name: u.Disk, LUN: u.LUN, Target: s.Target, Portals: s.Portals, Session: i}
}

// findDisks scans each session that is logged in for its LUN and waits for the
// disks. A target without one stops no other.
func (m *Machine) findDisks(ctx context.Context) error {
	m.disks = nil
	var errs []error
	for i := range m.sessions {
		if !m.logins.up(i) {
			continue
		}
		units, err := m.sessionDisks(ctx, i)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, u := range units {
			m.Log.Infof("%s", m.describe(i, u))
			m.disks = append(m.disks, m.newDisk(i, u))
		}
	}
	if len(m.disks) == 0 && len(errs) > 0 {
		return errs[0]
	}
	for _, err := range errs {
		m.Log.Warnf("%v", err)
	}
	return nil
}

// describe names a disk for the log.
func (m *Machine) describe(i int, u blockdev.Unit) string {
	text := fmt.Sprintf("disk %s is lun %v of %s", u.Disk, iscsi.KernelLUN(u.LUN), m.sessions[i].Target)
	if readWord("/sys/class/block/"+u.Disk, "ro") == "1" {
		text += ", which lets nobody write to it"
	}
	return text
}

// sessionDisks finds a session's disks. Without a LUN given it is LUN 0, and if
// that is no disk, all that there are.
func (m *Machine) sessionDisks(ctx context.Context, i int) ([]blockdev.Unit, error) {
	s, lun := m.sessions[i], m.spec.Targets[i].LUN
	var units []blockdev.Unit
	var err error
	for _, form := range forms(lun.V) {
		if units, err = m.scan(ctx, s, form); err != nil || len(units) > 0 {
			break
		}
	}
	if err == nil && !lun.Given() && len(units) == 0 {
		units, err = m.scan(ctx, s, kernel.ScanAll)
	}
	if err == nil && len(units) == 0 {
		err = m.noDisk(ctx, s, lun.Given(), lun.V)
	}
	return units, err
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

// lateDisks finds the disks of a target that came up after the others. The step
// that looks for root takes them up.
func (m *Machine) lateDisks(ctx context.Context, i int) {
	units, err := m.sessionDisks(ctx, i)
	if err != nil {
		m.Log.Warnf("%v", err)
	}
	for _, u := range units {
		m.Log.Infof("%s", m.describe(i, u))
	}
}

// newDisks takes up disks that our sessions were given since they were scanned.
// They are counted by session, and behind those of the same one that are
// counted already.
func (m *Machine) newDisks() {
	for i, s := range m.sessions {
		units, err := blockdev.Units("/sys", s.SID)
		if err != nil || !m.logins.up(i) {
			continue // the session is being restarted: its disks stay
		}
		lun := m.spec.Targets[i].LUN
		for _, u := range units {
			known := slices.ContainsFunc(m.disks, func(d disk) bool { return d.Name == u.Disk })
			if u.IsDisk() && u.Disk != "" && !known && (!lun.Given() || slices.Contains(forms(lun.V), u.LUN)) {
				m.disks = append(m.disks, m.newDisk(i, u))
			}
		}
	}
	slices.SortStableFunc(m.disks, func(a, b disk) int { return a.Session - b.Session })
}

// counted returns the disks whose place in the count is known: behind a target
// that is not there nobody knows how many disks it has. With lost, a target that
// will never be there does not count.
func (m *Machine) counted(lost bool) []disk {
	var out []disk
	for _, d := range m.disks {
		for i := range d.Session {
			if s := m.logins.state(i); s == loginPending || s == loginLost && !lost {
				return out
			}
		}
		out = append(out, d)
	}
	return out
}

// scan looks for a LUN and returns the disks that came of it.
func (m *Machine) scan(ctx context.Context, s *session.Session, lun uint64) ([]blockdev.Unit, error) {
	if err := s.Scan(lun); err != nil {
		return nil, err
	}
	var found []blockdev.Unit
	var missing *notReadyError
	// The SCSI devices exist now; their disks are made by another thread of
	// the kernel, which announces them when their partitions are known.
	look := func(uevent.Event) (bool, error) {
		units, err := blockdev.Units("/sys", s.SID)
		if err != nil {
			return false, err
		}
		found, missing = nil, nil
		for _, u := range units {
			if !u.IsDisk() || lun != kernel.ScanAll && u.LUN != lun {
				continue
			}
			ready, err := isReady(u)
			if err != nil {
				return false, err
			}
			if !ready {
				missing = &notReadyError{u, s.Target}
				return false, nil
			}
			found = append(found, u)
		}
		return true, nil
	}
	began := time.Now()
	for said := false; ; {
		err := m.lookFor(ctx, look)
		switch {
		case !errors.Is(err, context.DeadlineExceeded):
			return found, err
		case ctx.Err() != nil && missing != nil:
			return nil, missing
		case ctx.Err() != nil:
			return nil, err
		case missing != nil:
			if !said && time.Since(began) >= readyPatience {
				m.Log.Warnf("%v: waiting for it", missing)
				said = true
			}
			rescan(missing.unit)
		}
	}
}

// readyPatience is for how long nothing is said of a disk that is not ready.
const readyPatience = 5 * time.Second

// rescanEvery is how often the kernel is made to ask a disk for its size, which
// it does not do by itself.
const rescanEvery = time.Second

// lookFor looks at once and after each event, for a while.
func (m *Machine) lookFor(ctx context.Context, look func(uevent.Event) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, rescanEvery)
	defer cancel()
	return m.Uevents.Wait(ctx, look)
}

// rescan makes the kernel ask a disk for its size. If it cannot, the disk stays
// not ready, and the next try follows. Without a disk the kernel is still at it:
// for 100 s it waits for one to spin up (drivers/scsi/sd.c: sd_spinup_disk).
func rescan(u blockdev.Unit) {
	if u.Disk == "" {
		return
	}
	_ = os.WriteFile("/sys/class/block/"+u.Disk+"/device/rescan", []byte("1"), 0)
}

// notReadyError is a LUN whose disk cannot be used yet.
type notReadyError struct {
	unit   blockdev.Unit
	target string
}

// Error implements error.
func (e *notReadyError) Error() string {
	text := fmt.Sprintf("lun %v of %s is not ready", iscsi.KernelLUN(e.unit.LUN), e.target)
	if e.unit.Disk != "" {
		return "disk " + e.unit.Disk + ", " + text
	}
	return text
}

// Heals tells that a target may bring a LUN up later, if there is a driver.
func (e *notReadyError) Heals() bool {
	_, err := os.Stat("/sys/bus/scsi/drivers/sd")
	return err == nil
}

// Hint says where to look.
func (e *notReadyError) Hint() string {
	if !e.Heals() {
		return "the kernel has no driver for disks: does the image hold sd_mod?"
	}
	return "bring the LUN online at the target"
}

// isReady tells whether a unit has a disk that can be opened and has a size. The
// kernel looks for partitions before it lets an open succeed (block/bdev.c:
// blkdev_get_whole), so they are known then.
func isReady(u blockdev.Unit) (bool, error) {
	if u.Disk == "" {
		return false, nil
	}
	fd, err := unix.Open("/dev/"+u.Disk, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	switch err {
	case nil:
		return readWord("/sys/class/block/"+u.Disk, "size") != "0", unix.Close(fd)
	case unix.ENOENT, unix.ENXIO, unix.ENOMEDIUM:
		return false, nil
	}
	return false, &os.PathError{Op: "open", Path: "/dev/" + u.Disk, Err: err}
}

// noDisk says what the target has instead.
func (m *Machine) noDisk(ctx context.Context, s *session.Session, given bool, lun iscsi.LUN) error {
	if given {
		// What there is instead is found only now; the wait is for their sizes.
		var slow *notReadyError
		if _, err := m.scan(ctx, s, kernel.ScanAll); err != nil && !errors.As(err, &slow) && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
	}
	units, err := blockdev.Units("/sys", s.SID)
	if err != nil {
		return err
	}
	var have []string
	for _, u := range units {
		have = append(have, fmt.Sprintf("lun %v is %s", iscsi.KernelLUN(u.LUN), whatIs(u)))
	}
	seen := "it shows none at all"
	if len(have) > 0 {
		seen = strings.Join(have, ", ")
	}
	if given {
		return withHint(fmt.Errorf("target %s has no disk at lun %v: %s", s.Target, lun, seen), "correct iscsi_lun=, or map the disk for this initiator at the target")
	}
	return withHint(fmt.Errorf("target %s has no disk: %s", s.Target, seen), "map a disk for this initiator at the target")
}

// whatIs describes a logical unit.
func whatIs(u blockdev.Unit) string {
	if !u.IsDisk() {
		return fmt.Sprintf("of SCSI type %d, no disk", u.Type)
	}
	whole, _, err := blockdev.Disk("/sys", u.Disk)
	switch {
	case u.Disk == "" || err != nil:
		return "a disk"
	case whole.Size == 0:
		return "a disk that is not ready"
	}
	return fmt.Sprintf("a disk of %d MiB", whole.Size>>20)
}
