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

// DMUUID is the UUID of an LV's device. lvm2 knows a device of its own by this alone.
func DMUUID(vg, lv ID, suffix string) string {
	uuid := "LVM-" + string(vg) + string(lv)
	if suffix != "" {
		uuid += "-" + suffix
	}
	return uuid
}

// SplitName is the reverse of DMName without a layer: "vg--a-root" is root in vg-a
// (libdm/libdm-string.c: _unquote).
func SplitName(name string) (vg, lv string, ok bool) {
	var parts [2]strings.Builder
	part := 0
	for i := 0; i < len(name); i++ {
		if name[i] == '-' {
			if i+1 < len(name) && name[i+1] == '-' {
				i++
			} else if part++; part == len(parts) {
				return "", "", false
			} else {
				continue
			}
		}
		parts[part].WriteByte(name[i])
	}
	vg, lv = parts[0].String(), parts[1].String()
	return vg, lv, vg != "" && lv != ""
}

// SplitPath reads how a person names an LV: "vg/lv", "/dev/vg/lv", "/dev/mapper/vg-lv".
func SplitPath(path string) (vg, lv string, ok bool) {
	if name, mapped := strings.CutPrefix(path, "/dev/mapper/"); mapped {
		return SplitName(name)
	}
	vg, lv, ok = strings.Cut(strings.TrimPrefix(path, "/dev/"), "/")
	return vg, lv, ok && vg != "" && lv != "" && !strings.Contains(lv, "/")
}
