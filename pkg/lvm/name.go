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
