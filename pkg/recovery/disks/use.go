package disks

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
)

// use describes what is built on a disk, directly or indirectly.
type use struct {
	multipath bool // a multipath map
	mirror    bool // RAID or a mirror: one leg's error is repaired by the others
}

// leg reports whether an error of the disk is better than a wait, since there is another path or
// another copy.
func (u use) leg() bool { return u.multipath || u.mirror }

// use returns what is built on the disk.
func (d disk) use(sys string) use {
	var u use
	if d.Disk == "" {
		return u
	}
	for _, name := range blockdev.Holders(sys, d.Disk) {
		u.add(filepath.Join(sys, "class/block", name))
	}
	return u
}

// add adds a holder: a map of device-mapper's by the prefix of its uuid, and LVM's images by their
// names, which LVM gives to nothing else (multipath-tools libmultipath/devmapper.c: UUID_PREFIX;
// lvm2 lib/misc/lvm-string.c: _lvname_has_reserved_string); an array by its level.
func (u *use) add(dir string) {
	uuid := readString(filepath.Join(dir, "dm/uuid"))
	switch {
	case strings.HasPrefix(uuid, "mpath-"):
		u.multipath = true
	case strings.HasPrefix(uuid, "LVM-"):
		name := readString(filepath.Join(dir, "dm/name"))
		u.mirror = u.mirror || slices.ContainsFunc([]string{"_rimage_", "_rmeta_", "_mimage_"}, func(part string) bool {
			return strings.Contains(name, part)
		})
	}
	level := readString(filepath.Join(dir, "md/level"))
	u.mirror = u.mirror || slices.Contains([]string{"raid1", "raid4", "raid5", "raid6", "raid10"}, level)
}
