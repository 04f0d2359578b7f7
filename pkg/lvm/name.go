package lvm

import "strings"

// Layers are what lvm2 puts behind a name or a UUID for a device that is not the LV itself
// (lib/metadata/lv.c: lv_layer; lib/misc/lvm-string.c: build_dm_uuid).
const (
	layerReal = "real"  // an LV below a device of its name: an external origin
	layerPool = "tpool" // the kernel's thin pool
)

// DMName is the name of an LV's device, below /dev/mapper as well: a hyphen of a name is doubled, a
// single one separates (libdm/libdm-string.c: dm_build_dm_name). A layer may be empty.
func DMName(vg, lv, layer string) string {
	name := strings.ReplaceAll(vg, "-", "--") + "-" + strings.ReplaceAll(lv, "-", "--")
	if layer != "" {
		name += "-" + layer
	}
	return name
}

// MaxDMName is the longest name of a dm device, in bytes (include/uapi/linux/dm-ioctl.h:
// DM_NAME_LEN, with a NUL).
const MaxDMName = 127

// SplitDMName is the inverse of DMName without a layer; ok is false if no LV has the name.
func SplitDMName(name string) (vg, lv string, ok bool) {
	const hyphen = "\x00"
	vg, lv, ok = strings.Cut(strings.ReplaceAll(name, "--", hyphen), "-")
	vg, lv = strings.ReplaceAll(vg, hyphen, "-"), strings.ReplaceAll(lv, hyphen, "-")
	return vg, lv, ok && ValidName(vg) && ValidName(lv) && len(name) <= MaxDMName && DMName(vg, lv, "") == name
}

// ValidName reports whether lvm2 accepts the name of a VG or an LV (lib/misc/lvm-string.c:
// _validate_name), which becomes a part of a path.
func ValidName(s string) bool {
	const most = 127 // NAME_LEN, with a NUL
	return s != "" && len(s) <= most && s != "." && s != ".." && s[0] != '-' && !strings.ContainsFunc(s, func(c rune) bool {
		return !isIDChar(c)
	})
}

// DMUUID is the UUID of an LV's device. lvm2 knows a device of its own by this alone.
func DMUUID(vg, lv ID, suffix string) string {
	uuid := "LVM-" + string(vg) + string(lv)
	if suffix != "" {
		uuid += "-" + suffix
	}
	return uuid
}
