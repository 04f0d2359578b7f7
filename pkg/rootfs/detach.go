package rootfs

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/switchroot"
)

// lunOf is a LUN of a session.
type lunOf struct {
	session int
	lun     uint64 // the kernel's number
}

// noteSought notes the LUNs of a session that a search has attached: those that are not in before.
func (st *Storage) noteSought(i int, before []blockdev.LUN) {
	luns, err := st.lunOps().Attached(i)
	if err != nil {
		st.Log.Warnf("LUNs that were attached to look for root stay attached: %v", err)
	}
	for _, u := range luns {
		if slices.ContainsFunc(before, func(b blockdev.LUN) bool { return b.Number == u.Number }) {
			continue
		}
		if st.attachedBySearch == nil {
			st.attachedBySearch = map[lunOf]bool{}
		}
		st.attachedBySearch[lunOf{i, u.Number}] = true
	}
}

// detachLate detaches the LUNs that a search has attached, so that the disks of a target that comes
// up later get the names that they get without a search.
func (st *Storage) detachLate(ctx context.Context) {
	st.detachSought(ctx, -1, func(string) bool { return false })
}

// DetachOthers detaches the LUNs on which root was not found, before the real system starts, whose
// udev would activate what is on them: those that a search has attached, and if it has attached
// root's LUN, those of that target's first scan too. If root is on a disk of the first scan, the
// other disks of that scan stay: the real system has them at every boot. A LUN stays if it is in
// use, has a part of a volume group in use, or is in the fstab of root. With rd.root.any all stay.
// Volumes that were activated to look for root are deactivated.
func (st *Storage) DetachOthers(ctx context.Context, root Volume) {
	st.DeactivateUnused(ctx)
	st.complete(ctx, kernelPaths)
	st.detachOthers(ctx, root, Sysroot, kernelPaths)
}

func (st *Storage) detachOthers(ctx context.Context, root Volume, dir string, p paths) {
	if len(st.attachedBySearch) == 0 || st.Spec.Root.AnyDisk.V {
		return
	}
	end := sequence.Blocking(ctx, "reading the files of "+root.Name)
	entries, err := switchroot.ReadFstab(dir)
	end()
	if err != nil {
		st.Log.Warnf("the LUNs on which root was looked for are not detached: %v", err)
		return
	}
	named, hidden := st.namedBy(ctx, p, entries)
	st.detachSought(ctx, st.foundBySearch(root), func(name string) bool {
		return root.On(name) || slices.Contains(named, name) || hidden && !st.known(blockdev.LUN{Disk: name})
	})
}

// foundBySearch returns the session of root's disk if a search has attached its LUN and no source
// names another, else -1.
func (st *Storage) foundBySearch(root Volume) int {
	for _, d := range st.late {
		for _, u := range st.lunsOf(d) {
			if root.On(d.Name) && st.leftOpen(u.session) && st.attachedBySearch[lunOf{u.session, u.Number}] {
				return u.session
			}
		}
	}
	return -1
}

// detachSought detaches the LUNs that a search has attached, and all of the session whole and of
// the other paths to its target, except those whose disk stays.
func (st *Storage) detachSought(ctx context.Context, whole int, stays func(name string) bool) {
	for i := range st.Sessions.List() {
		if !st.Sessions.Up(i) || len(st.attachedBySearch) == 0 {
			continue
		}
		luns, err := st.lunOps().Attached(i)
		if err != nil {
			st.Log.Warnf("%v", err)
			continue
		}
		luns = slices.DeleteFunc(luns, func(u blockdev.LUN) bool {
			first := st.ofSession(i, st.disks, u.Number)
			all := whole >= 0 && slices.Contains(st.paths(whole), i)
			wanted := st.attachedBySearch[lunOf{i, u.Number}] && !first || all && first
			return !u.IsDisk() || !wanted || stays(u.Disk)
		})
		st.detachAll(ctx, i, luns)
	}
}

// detachAll detaches LUNs of a session, up to the first that cannot be detached: the others would
// wait for the same target. One without a disk is not ready, and the kernel waits for it for up to
// 100 s (drivers/scsi/sd.c: sd_spinup_disk), with the device locked, and detaching it waits for
// that lock.
func (st *Storage) detachAll(ctx context.Context, i int, luns []blockdev.LUN) {
	target := st.Sessions.List()[i].Target
	for at, u := range luns {
		lun := iscsi.KernelLUN(u.Number)
		if u.Disk == "" {
			st.Log.Warnf("lun %v of %s is not detached: it is not ready", lun, target)
			continue
		}
		err := st.active.Deactivate(ctx, u.Disk)
		if err == nil {
			err = st.removeMapOf(u)
		}
		if err == nil {
			err = st.lunOps().Detach(ctx, i, u)
		}
		switch {
		case errors.Is(err, blockdev.ErrInUse):
		case err != nil:
			more := ""
			if n := len(luns) - at - 1; n > 0 {
				more = fmt.Sprintf(", and %d more", n)
			}
			st.Log.Warnf("lun %v of %s is not detached%s: %v", lun, target, more, err)
			return
		default:
			st.logDetached(i, u, lun)
			delete(st.attachedBySearch, lunOf{i, u.Number})
			removed := func(d *blockdev.Device) bool { return st.ofSession(i, []*blockdev.Device{d}, u.Number) }
			st.disks, st.late = slices.DeleteFunc(st.disks, removed), slices.DeleteFunc(st.late, removed)
			st.places = slices.DeleteFunc(st.places, func(p *place) bool { return p.Disk == u.Disk })
			st.dropPath(i, u.Number)
		}
	}
}

// logDetached logs that a LUN is detached. One of the first scan may be needed: it was attached at
// each boot as long as that scan found root.
func (st *Storage) logDetached(i int, u blockdev.LUN, lun iscsi.LUN) {
	target := st.Sessions.List()[i].Target
	if st.attachedBySearch[lunOf{i, u.Number}] {
		st.Log.Infof("lun %v of %s is detached: it is not needed", lun, target)
		return
	}
	st.Log.Warnf("lun %v of %s is detached: root is on another LUN; to keep it, name what is on it in root's etc/fstab", lun, target)
}
