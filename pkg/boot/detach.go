package boot

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/switchroot"
)

// detachPatience is for how long a session that is down is waited for to detach a
// LUN of it.
const detachPatience = 5 * time.Second

// detachLate detaches the LUNs that were looked at beside the first ones, so that
// the disks of a target that comes up later have the names that they would have
// had without.
func (m *Machine) detachLate(ctx context.Context) {
	m.detach(ctx, func(d disk) bool { return !d.Late })
}

// detachOthers detaches what was looked at in vain before the real system is
// there, whose udev would activate what is on it: the LUNs beside the first ones,
// and all others of the target that has root. What is in use stays, and what
// root's fstab names. With rd.root.any every disk is wanted.
func (m *Machine) detachOthers(ctx context.Context) {
	if m.spec.Root.AnyDisk.V {
		return
	}
	vain := slices.ContainsFunc(m.disks, func(d disk) bool { return m.inVain(d) })
	if !vain {
		return
	}
	entries, _ := switchroot.ReadFstab(sysroot) // the step "mount" has said what is wrong with it
	named := m.namedBy(ctx, kernelPaths, entries)
	m.detach(ctx, func(d disk) bool { return !m.inVain(d) || slices.Contains(named, d.Name) })
}

// inVain tells whether a disk may have been looked at in vain.
func (m *Machine) inVain(d disk) bool {
	return d.Name != diskOf(m.root.Device) && m.leftOpen(d.Session) && (d.Late || m.carriesRoot(d.Session))
}

// detach detaches the disks that are not in use, but for those that stay. Only
// sessions whose LUN no source names have such disks.
func (m *Machine) detach(ctx context.Context, stays func(disk) bool) {
	k := m.lunOps()
	for i := range m.sessions {
		if !m.leftOpen(i) {
			continue
		}
		units, err := k.units(i)
		if err != nil {
			m.Log.Warnf("%v", err)
			continue
		}
		for _, u := range units {
			at := slices.IndexFunc(m.disks, func(d disk) bool { return d.Session == i && d.LUN == u.LUN })
			if !u.IsDisk() || at >= 0 && stays(m.disks[at]) || at < 0 && !m.searched(i) {
				continue
			}
			if u.Disk != "" {
				if used, err := k.inUse(ctx, u.Disk); used {
					continue
				} else if err != nil {
					m.Log.Debugf("%v", err)
				}
			}
			if err := k.detach(ctx, i, u); err != nil {
				m.Log.Warnf("lun %v of %s is not detached: %v", iscsi.KernelLUN(u.LUN), m.sessions[i].Target, err)
				continue
			}
			m.Log.Infof("lun %v of %s is detached: it is not needed", iscsi.KernelLUN(u.LUN), m.sessions[i].Target)
			m.disks = slices.DeleteFunc(m.disks, func(d disk) bool { return d.Session == i && d.LUN == u.LUN })
		}
	}
}

// searched tells whether further LUNs of a session were looked at: one that was
// not ready is attached, and no disk of ours.
func (m *Machine) searched(i int) bool {
	return slices.ContainsFunc(m.disks, func(d disk) bool { return d.Session == i && d.Late })
}

// containers are what may hold what fstab names.
var containers = []string{"LVM2_member", "linux_raid_member", "crypto_LUKS"}

// namedBy returns the disks that an fstab names, and those that may hold what it
// names and no disk has.
func (m *Machine) namedBy(ctx context.Context, p paths, entries []switchroot.Entry) []string {
	var infos []blockdev.Info
	for _, d := range m.disks {
		end := doing(ctx, "reading the partitions and superblocks of "+d.Name)
		found, err := blockdev.Inspect(p.sys, p.dev, d.Name)
		end()
		if err != nil {
			m.Log.Debugf("%v", err)
		}
		infos = append(infos, found...)
	}
	var out []string
	hidden := false
	for _, e := range entries {
		names := m.disksOf(p, infos, e.Spec)
		out = append(out, names...)
		hidden = hidden || len(names) == 0 && (strings.HasPrefix(e.Spec, "/dev/") || strings.Contains(e.Spec, "="))
	}
	for _, i := range infos {
		if hidden && slices.Contains(containers, i.FS.Type) {
			out = append(out, i.Disk)
		}
	}
	return out
}

// disksOf returns the disks of a device as fstab names it.
func (m *Machine) disksOf(p paths, infos []blockdev.Info, spec string) []string {
	want, ok := bootspec.ParseDevice(spec)
	if !ok {
		return nil
	}
	var out []string
	for _, i := range blockdev.Find(infos, want) {
		out = append(out, i.Disk)
	}
	if want.By == bootspec.BySession || want.By == bootspec.ByPath {
		devices, _ := searchNames(p, m.disks, want) // none is no error here
		if len(devices) > 0 {
			out = append(out, diskOf(devices[0]))
		}
	}
	return out
}
