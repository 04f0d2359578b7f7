package boot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/switchroot"
)

// detachPatience is for how long a LUN is waited for to be detached, and its session
// to be up.
const detachPatience = 5 * time.Second

// errInUse is a LUN whose disk is mounted, or part of another device.
var errInUse = errors.New("is in use")

// lunOf is a LUN of a session.
type lunOf struct {
	session int
	lun     uint64 // the kernel's number
}

// noteSought notes the LUNs of a session that a search has attached: those that were
// not there before.
func (m *Machine) noteSought(i int, before []blockdev.LUN) {
	luns, err := m.lunOps().attached(i)
	if err != nil {
		m.Log.Warnf("LUNs that were attached to look for root stay attached: %v", err)
	}
	for _, u := range luns {
		if slices.ContainsFunc(before, func(b blockdev.LUN) bool { return b.Number == u.Number }) {
			continue
		}
		if m.sought == nil {
			m.sought = map[lunOf]bool{}
		}
		m.sought[lunOf{i, u.Number}] = true
	}
}

// detachLate detaches the LUNs that a search has attached, so that the disks of a
// target that comes up later have the names that they would have had without.
func (m *Machine) detachLate(ctx context.Context) {
	m.detachSought(ctx, -1, func(string) bool { return false })
}

// detachOthers detaches what was looked at in vain before the real system is there,
// whose udev would activate what is on it: what a search has attached, and where it has
// attached root's LUN, those of that target's first scan too. Where the first scan has
// root, its other disks stay: the real system has them at every boot. What is in use
// stays, and what the fstab of root, which is mounted at dir, names. With rd.root.any
// every disk is wanted.
func (m *Machine) detachOthers(ctx context.Context, dir string, p paths) {
	if len(m.sought) == 0 || m.spec.Root.AnyDisk.V {
		return
	}
	end := doing(ctx, "reading the files of "+m.root.Name)
	entries, err := switchroot.ReadFstab(dir)
	end()
	if err != nil {
		m.Log.Warnf("the LUNs on which root was looked for are not detached: %v", err)
		return
	}
	named, hidden := m.namedBy(ctx, p, entries)
	m.detachSought(ctx, m.foundBySearch(), func(name string) bool {
		counted := (&blockdev.Device{Name: name}).In(m.allDisks())
		return m.root.On(name) || slices.Contains(named, name) || hidden && !counted
	})
}

// foundBySearch is the session of root's disk if a search has attached its LUN, else -1.
func (m *Machine) foundBySearch() int {
	for _, d := range m.late {
		if i := m.sessionOf(d); m.root.On(d.Name) && m.sought[lunOf{i, d.LUN.Number}] {
			return i
		}
	}
	return -1
}

// detachSought detaches the LUNs that a search has attached, and all of the session
// whole, but for those whose disk stays.
func (m *Machine) detachSought(ctx context.Context, whole int, stays func(name string) bool) {
	for i := range m.sessions {
		if !m.leftOpen(i) || len(m.sought) == 0 {
			continue
		}
		luns, err := m.lunOps().attached(i)
		if err != nil {
			m.Log.Warnf("%v", err)
			continue
		}
		luns = slices.DeleteFunc(luns, func(u blockdev.LUN) bool {
			first := m.ofSession(i, m.disks, u.Number)
			wanted := m.sought[lunOf{i, u.Number}] && !first || i == whole && first
			return !u.IsDisk() || !wanted || stays(u.Disk)
		})
		m.detachAll(ctx, i, luns)
	}
}

// detachAll detaches LUNs of a session, up to the first that cannot be: the others wait
// for the same target. One without a disk is not ready, and the kernel waits for it
// for up to 100 s (drivers/scsi/sd.c: sd_spinup_disk), with the device locked: to detach
// it takes as long.
func (m *Machine) detachAll(ctx context.Context, i int, luns []blockdev.LUN) {
	target := m.sessions[i].Target
	for at, u := range luns {
		lun := iscsi.KernelLUN(u.Number)
		if u.Disk == "" {
			m.Log.Warnf("lun %v of %s is not detached: it is not ready", lun, target)
			continue
		}
		err := m.takeDown(ctx, u.Disk)
		if err == nil {
			err = m.lunOps().detach(ctx, i, u)
		}
		switch {
		case errors.Is(err, errInUse):
		case err != nil:
			more := ""
			if n := len(luns) - at - 1; n > 0 {
				more = fmt.Sprintf(", and %d more", n)
			}
			m.Log.Warnf("lun %v of %s is not detached%s: %v", lun, target, more, err)
			return
		default:
			m.tellDetached(i, u, lun)
			delete(m.sought, lunOf{i, u.Number})
			gone := func(d *blockdev.Device) bool { return m.sessionOf(d) == i && d.LUN.Number == u.Number }
			m.disks, m.late = slices.DeleteFunc(m.disks, gone), slices.DeleteFunc(m.late, gone)
		}
	}
}

// tellDetached logs that a LUN is detached. One of the first scan may be wanted: it has
// been there at each boot for as long as that scan found root.
func (m *Machine) tellDetached(i int, u blockdev.LUN, lun iscsi.LUN) {
	target := m.sessions[i].Target
	if m.sought[lunOf{i, u.Number}] {
		m.Log.Infof("lun %v of %s is detached: it is not needed", lun, target)
		return
	}
	m.Log.Warnf("lun %v of %s is detached: root is on another LUN; to keep it, name what is on it in root's etc/fstab", lun, target)
}
