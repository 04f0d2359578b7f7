package bootspec

import (
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// LVM says in which logical volumes root is looked for. A volume that root= or fstab names is found
// in any case.
type LVM struct {
	Off Value[bool] // in none
	// Names are volume groups, or volumes as GROUP/VOLUME: in these only. None: in all.
	Names []Value[string]
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
// device mapper.
func parseVolume(s string) (Device, bool) {
	dir, name, ok := strings.Cut(s, "/")
	if !ok {
		return Device{}, false
	}
	if dir == "mapper" {
		_, _, ok := SplitVolume(name)
		return Device{By: ByVolume, Text: name}, ok && !strings.HasPrefix(name, "mpath") && !strings.HasPrefix(name, "luks-")
	}
	for _, other := range otherNodes {
		if dir == other {
			return Device{}, false
		}
	}
	d := Device{By: ByVolume, Text: JoinVolume(dir, name)}
	return d, isVolumeName(dir) && isVolumeName(name) && len(d.Text) <= maxVolume
}

// maxVolume is the longest name in the device mapper, in bytes (include/uapi/linux/dm-ioctl.h:
// DM_NAME_LEN 128, with a NUL).
const maxVolume = 127

// isVolumeName reports whether a volume group or a logical volume may have a name (lvm(8): VALID
// NAMES).
func isVolumeName(s string) bool {
	return s != "" && s != "." && s != ".." && s[0] != '-' && !strings.ContainsFunc(s, func(c rune) bool {
		return !strings.ContainsRune("+_.-", c) && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z')
	})
}

// JoinVolume returns the name of a logical volume in the device mapper (lvm(8): a hyphen in a name
// is doubled, and one hyphen is between the names).
func JoinVolume(group, volume string) string {
	return strings.ReplaceAll(group, "-", "--") + "-" + strings.ReplaceAll(volume, "-", "--")
}

// SplitVolume is the inverse of JoinVolume; ok is false if no logical volume has the name.
func SplitVolume(name string) (group, volume string, ok bool) {
	const hyphen = "\x00"
	group, volume, ok = strings.Cut(strings.ReplaceAll(name, "--", hyphen), "-")
	group, volume = strings.ReplaceAll(group, hyphen, "-"), strings.ReplaceAll(volume, hyphen, "-")
	ok = ok && isVolumeName(group) && isVolumeName(volume) && len(name) <= maxVolume && JoinVolume(group, volume) == name
	return group, volume, ok
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

// lvmName reads a volume group, or GROUP/VOLUME, in which root is looked for. One that cannot be
// read is no error: root may be somewhere else.
func (ps *parser) lvmName(p cmdline.Param) error {
	group, volume, ok := strings.Cut(strings.TrimPrefix(p.Value, "/dev/"), "/")
	isLV := strings.HasSuffix(strings.ToLower(p.Key), "lv")
	if !isVolumeName(group) || ok && !isVolumeName(volume) || ok != isLV {
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
