package boot

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/session"
	"github.com/iscsiroot/iscsiroot/pkg/uevent"
)

// disk is a disk of one of our sessions.
type disk struct {
	Name   string // "sda"
	LUN    uint64
	Target string
	Portal netip.AddrPort
}

func newDisk(s *session.Session, u blockdev.Unit) disk {
	return disk{Name: u.Disk, LUN: u.LUN, Target: s.Target, Portal: s.Portal}
}

// findDisks scans each session for its LUN and waits for the disks. Without a
// LUN given it is LUN 0, and if that is no disk, all that there are.
func (m *Machine) findDisks(ctx context.Context) error {
	m.disks = nil
	for i, s := range m.sessions {
		lun := m.spec.Targets[i].LUN
		units, err := m.scan(ctx, s, lun.V.Kernel())
		if err == nil && !lun.Given() && len(units) == 0 {
			units, err = m.scan(ctx, s, kernel.ScanAll)
		}
		if err != nil {
			return err
		}
		if len(units) == 0 {
			return m.noDisk(s, lun.Given(), lun.V)
		}
		for _, u := range units {
			m.Log.Infof("disk %s is lun %d of %s", u.Disk, u.LUN, s.Target)
			m.disks = append(m.disks, newDisk(s, u))
		}
	}
	return nil
}

// newDisks takes up disks that our sessions were given since they were scanned,
// behind those that are counted already.
func (m *Machine) newDisks() {
	for i, s := range m.sessions {
		units, err := blockdev.Units("/sys", s.SID)
		if err != nil {
			continue // the session is being restarted: its disks stay
		}
		lun := m.spec.Targets[i].LUN
		for _, u := range units {
			known := slices.ContainsFunc(m.disks, func(d disk) bool { return d.Name == u.Disk })
			if u.IsDisk() && u.Disk != "" && !known && (!lun.Given() || u.LUN == lun.V.Kernel()) {
				m.disks = append(m.disks, newDisk(s, u))
			}
		}
	}
}

// scan looks for a LUN and returns the disks that came of it.
func (m *Machine) scan(ctx context.Context, s *session.Session, lun uint64) ([]blockdev.Unit, error) {
	if err := s.Scan(lun); err != nil {
		return nil, err
	}
	var found []blockdev.Unit
	// The SCSI devices exist now; their disks are made by another thread of
	// the kernel, which announces them when their partitions are known.
	err := m.Uevents.Wait(ctx, func(uevent.Event) (bool, error) {
		units, err := blockdev.Units("/sys", s.SID)
		if err != nil {
			return false, err
		}
		found = nil
		for _, u := range units {
			if !u.IsDisk() || lun != kernel.ScanAll && u.LUN != lun {
				continue
			}
			if ready, err := isReady(u); !ready {
				return false, err
			}
			found = append(found, u)
		}
		return true, nil
	})
	if errors.Is(err, context.DeadlineExceeded) {
		err = withHint(fmt.Errorf("disk of session %d did not appear: %w", s.SID, err), "does the image hold sd_mod?")
	}
	return found, err
}

// isReady tells whether a unit has a disk that can be opened. The kernel looks
// for partitions before it lets an open succeed (block/bdev.c:
// blkdev_get_whole), so they are known then.
func isReady(u blockdev.Unit) (bool, error) {
	if u.Disk == "" {
		return false, nil
	}
	fd, err := unix.Open("/dev/"+u.Disk, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	switch err {
	case nil:
		return true, unix.Close(fd)
	case unix.ENOENT, unix.ENXIO:
		return false, nil
	}
	return false, &os.PathError{Op: "open", Path: "/dev/" + u.Disk, Err: err}
}

// noDisk says what the target has instead.
func (m *Machine) noDisk(s *session.Session, given bool, lun iscsi.LUN) error {
	units, err := blockdev.Units("/sys", s.SID)
	if err != nil {
		return err
	}
	var have []string
	for _, u := range units {
		what := "a disk"
		if !u.IsDisk() {
			what = fmt.Sprintf("of SCSI type %d, no disk", u.Type)
		}
		have = append(have, fmt.Sprintf("lun %d is %s", u.LUN, what))
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
