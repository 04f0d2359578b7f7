package bootspec

import (
	"fmt"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
	"github.com/iscsiroot/iscsiroot/pkg/lvm"
)

// LVM says in which logical volumes root is looked for. A volume that root= or fstab names is found
// in any case.
type LVM struct {
	Off Value[bool] // in none
	// Names are volume groups, or volumes as GROUP/VOLUME: in these only. None: in all.
	Names []Value[string]
	// SystemID is that of this machine: a group that has another one is not used
	// (lvmsystemid(7)). Empty: none.
	SystemID Value[string]
}

// Allows reports whether root may be looked for in a volume.
func (l LVM) Allows(group, volume string) bool {
	if l.Off.V {
		return false
	}
	for _, n := range l.Names {
		if n.V == group || n.V == group+"/"+volume {
			return true
		}
	}
	return len(l.Names) == 0
}

// otherNodes are directories below /dev whose entries are of other kinds than logical volumes.
var otherNodes = []string{"block", "bus", "cciss", "char", "disk", "etherd", "ida", "input", "loop", "mapper", "md", "nbd", "net", "pts", "rbd", "shm", "zvol"}

// parseVolume reads a name of a logical volume below /dev: VG/LV, or mapper/ and its name in the
// device mapper, which may also be a multipath map's.
func parseVolume(s string) (Device, bool) {
	dir, name, ok := strings.Cut(s, "/")
	if !ok {
		return Device{}, false
	}
	if dir == "mapper" {
		if d, ok := parseMapName(name); ok {
			return d, true
		}
		_, _, ok := lvm.SplitDMName(name)
		return Device{By: ByVolume, Text: name}, ok && !strings.HasPrefix(name, "luks-")
	}
	for _, other := range otherNodes {
		if dir == other {
			return Device{}, false
		}
	}
	d := Device{By: ByVolume, Text: lvm.DMName(dir, name, "")}
	return d, lvm.ValidName(dir) && lvm.ValidName(name) && len(d.Text) <= lvm.MaxDMName
}

// addVolumes adds which volumes are activated: the one that root= names, else those that may be
// root.
func (r Root) addVolumes(s *settingList) {
	group, volume, named := lvm.SplitDMName(r.Device.V.Text)
	named = named && r.Device.V.By == ByVolume
	if named {
		s.add("logical volume", fmt.Sprintf("%s of group %s, looked for on all LUNs of the targets, activated with what it stands on and no other", volume, group), r.Device.From)
	}
	unless := ""
	if named {
		unless = ": without effect, since root= names the volume"
	}
	if r.LVM.Off.V {
		s.add("logical volumes", "not searched for root"+unless, r.LVM.Off.From)
	}
	for _, n := range r.LVM.Names {
		what := "root is looked for in the volume " + n.V
		if !strings.Contains(n.V, "/") {
			what = "root is looked for in the volumes of group " + n.V
		}
		if r.LVM.Off.V {
			what += ": without effect, since no volume is searched"
		} else {
			what += unless
		}
		s.add("logical volumes", what, n.From)
	}
	addValue(s, "system id of LVM", r.LVM.SystemID)
}

// lvm reads rd.lvm=, a boolean.
func (ps *parser) lvm(p cmdline.Param) error {
	set(ps, &ps.plan.Root.LVM.Off, off(p.Value), p)
	return nil
}

// noLVM reads the old names of rd.lvm=0.
func (ps *parser) noLVM(p cmdline.Param) error {
	set(ps, &ps.plan.Root.LVM.Off, !off(p.Value), p)
	return nil
}

// lvmSystemID reads the system id of this machine.
func (ps *parser) lvmSystemID(p cmdline.Param) error {
	if !lvm.ValidSystemID(p.Value) {
		ps.warnf("%s is ignored: not a system id of lvm: see lvmsystemid(7)", source(p))
		return nil
	}
	set(ps, &ps.plan.Root.LVM.SystemID, p.Value, p)
	return nil
}

// lvmName reads a volume group, or GROUP/VOLUME, in which root is looked for. One that cannot be
// read is no error: root may be somewhere else.
func (ps *parser) lvmName(p cmdline.Param) error {
	group, volume, ok := strings.Cut(strings.TrimPrefix(p.Value, "/dev/"), "/")
	isLV := strings.HasSuffix(strings.ToLower(p.Key), "lv")
	if !lvm.ValidName(group) || ok && !lvm.ValidName(volume) || ok != isLV {
		form := "GROUP"
		if isLV {
			form = "GROUP/VOLUME"
		}
		ps.warnf("%s is ignored: write %s=%s", source(p), p.Key, form)
		return nil
	}
	name := group
	if isLV {
		name += "/" + volume
	}
	ps.plan.Root.LVM.Names = append(ps.plan.Root.LVM.Names, Value[string]{name, source(p)})
	return nil
}
