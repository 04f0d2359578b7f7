package blockdev

import (
	"os"
	"path/filepath"

	"github.com/iscsiroot/iscsiroot/pkg/multipath"
)

// ofMultipath makes a device of device-mapper a multipath map, or the partition of one, by its
// uuid. Where the partition begins only the map's table of partitions has.
func (d *Device) ofMultipath(uuid string) {
	switch _, n, ok := multipath.ParseUUID(uuid); {
	case !ok:
	case n == 0:
		d.Kind = KindMultipath
	default:
		d.Kind, d.Partition = KindPartition, &Partition{Number: n, Size: d.Size}
	}
}

// PathOf returns the multipath map that a disk is a path of; nil: of none. sys is the mount point
// of sysfs.
func PathOf(sys, disk string) *Device {
	holders, _ := os.ReadDir(filepath.Join(sys, "class/block", disk, "holders"))
	for _, h := range holders {
		if d, err := Read(sys, h.Name()); err == nil && d.Kind == KindMultipath {
			return d
		}
	}
	return nil
}

// mapPartitions returns the partitions of a multipath map.
func mapPartitions(sys string, whole *Device) (parts []*Device) {
	holders, _ := os.ReadDir(filepath.Join(sys, "class/block", whole.Name, "holders"))
	for _, h := range holders {
		if d, err := Read(sys, h.Name()); err == nil && d.Map != "" && d.Partition != nil {
			d.Parents = []*Device{whole}
			parts = insert(parts, d)
		}
	}
	return parts
}

// mapIDs are the names that a multipath map has below /dev/disk/by-id: its own, and those of the
// LUN.
func mapIDs(sys string, d *Device) []string {
	uuid := readText(filepath.Join(sys, "class/block", d.Name, "dm/uuid"))
	ids := []string{"dm-name-" + d.Map, "dm-uuid-" + uuid}
	for _, p := range d.Parents {
		if of := diskIDs(sys, p.Name); len(of) > 0 {
			return append(ids, of...)
		}
	}
	return ids
}
