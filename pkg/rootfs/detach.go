package rootfs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/switchroot"
)

// detachPatience is for how long a LUN is waited for to be detached, and its session to be up.
const detachPatience = 5 * time.Second

// errInUse is a LUN whose disk is mounted, or part of another device.
var errInUse = errors.New("is in use")

// lunOf is a LUN of a session.
type lunOf struct {
	session int
	lun     uint64 // the kernel's number
}

// noteSought notes the LUNs of a session that a search has attached: those that were not there
// before.
func (st *Storage) noteSought(i int, before []blockdev.LUN) {
	luns, err := st.lunOps().attached(i)
	if err != nil {
		st.Log.Warnf("LUNs that were attached to look for root stay attached: %v", err)
	}
	for _, u := range luns {
		if slices.ContainsFunc(before, func(b blockdev.LUN) bool { return b.Number == u.Number }) {
			continue
		}
		if st.sought == nil {
			st.sought = map[lunOf]bool{}
		}
		st.sought[lunOf{i, u.Number}] = true
	}
}

// detachLate detaches the LUNs that a search has attached, so that the disks of a target that comes
// up later have the names that they would have had without.
func (st *Storage) detachLate(ctx context.Context) {
	st.detachSought(ctx, -1, func(string) bool { return false })
}

// DetachOthers detaches what was looked at without success before the real system is there, whose
// udev would activate what is on it: what a search has attached, and where it has attached root's
// LUN, those of that target's first scan too. Where the first scan has root, its other disks stay:
// the real system has them at every boot. What is in use stays, and what the fstab of root names.
// With rd.root.any every disk is wanted.
func (st *Storage) DetachOthers(ctx context.Context, root Volume) {
	st.detachOthers(ctx, root, Sysroot, kernelPaths)
}

func (st *Storage) detachOthers(ctx context.Context, root Volume, dir string, p paths) {
	if len(st.sought) == 0 || st.Spec.Root.AnyDisk.V {
		return
	}
	end := sequence.Doing(ctx, "reading the files of "+root.Name)
	entries, err := switchroot.ReadFstab(dir)
	end()
	if err != nil {
		st.Log.Warnf("the LUNs on which root was looked for are not detached: %v", err)
		return
	}
	named, hidden := st.namedBy(ctx, p, entries)
	st.detachSought(ctx, st.foundBySearch(root), func(name string) bool {
		counted := (&blockdev.Device{Name: name}).In(st.allDisks())
		return root.On(name) || slices.Contains(named, name) || hidden && !counted
	})
}

// foundBySearch is the session of root's disk if a search has attached its LUN, else -1.
func (st *Storage) foundBySearch(root Volume) int {
	for _, d := range st.late {
		if i := st.sessionOf(d); root.On(d.Name) && st.sought[lunOf{i, d.LUN.Number}] {
			return i
		}
	}
	return -1
}

// detachSought detaches the LUNs that a search has attached, and all of the session whole, but for
// those whose disk stays.
func (st *Storage) detachSought(ctx context.Context, whole int, stays func(name string) bool) {
	for i := range st.Sessions.List() {
		if !st.leftOpen(i) || len(st.sought) == 0 {
			continue
		}
		luns, err := st.lunOps().attached(i)
		if err != nil {
			st.Log.Warnf("%v", err)
			continue
		}
		luns = slices.DeleteFunc(luns, func(u blockdev.LUN) bool {
			first := st.ofSession(i, st.disks, u.Number)
			wanted := st.sought[lunOf{i, u.Number}] && !first || i == whole && first
			return !u.IsDisk() || !wanted || stays(u.Disk)
		})
		st.detachAll(ctx, i, luns)
	}
}

// detachAll detaches LUNs of a session, up to the first that cannot be: the others wait for the
// same target. One without a disk is not ready, and the kernel waits for it for up to 100 s
// (drivers/scsi/sd.c: sd_spinup_disk), with the device locked: to detach it takes as long.
func (st *Storage) detachAll(ctx context.Context, i int, luns []blockdev.LUN) {
	target := st.Sessions.List()[i].Target
	for at, u := range luns {
		lun := iscsi.KernelLUN(u.Number)
		if u.Disk == "" {
			st.Log.Warnf("lun %v of %s is not detached: it is not ready", lun, target)
			continue
		}
		err := st.takeDown(ctx, u.Disk)
		if err == nil {
			err = st.lunOps().detach(ctx, i, u)
		}
		switch {
		case errors.Is(err, errInUse):
		case err != nil:
			more := ""
			if n := len(luns) - at - 1; n > 0 {
				more = fmt.Sprintf(", and %d more", n)
			}
			st.Log.Warnf("lun %v of %s is not detached%s: %v", lun, target, more, err)
			return
		default:
			st.tellDetached(i, u, lun)
			delete(st.sought, lunOf{i, u.Number})
			gone := func(d *blockdev.Device) bool { return st.sessionOf(d) == i && d.LUN.Number == u.Number }
			st.disks, st.late = slices.DeleteFunc(st.disks, gone), slices.DeleteFunc(st.late, gone)
		}
	}
}

// tellDetached logs that a LUN is detached. One of the first scan may be wanted: it has been there
// at each boot for as long as that scan found root.
func (st *Storage) tellDetached(i int, u blockdev.LUN, lun iscsi.LUN) {
	target := st.Sessions.List()[i].Target
	if st.sought[lunOf{i, u.Number}] {
		st.Log.Infof("lun %v of %s is detached: it is not needed", lun, target)
		return
	}
	st.Log.Warnf("lun %v of %s is detached: root is on another LUN; to keep it, name what is on it in root's etc/fstab", lun, target)
}
