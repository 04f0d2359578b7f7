package blockdev

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// The uuids in device-mapper of a multipath map, and of partition N of one (multipath-tools
// libmultipath/devmapper.c: UUID_PREFIX; kpartx/devmapper.c: make_prefixed_uuid).
const (
	mapUUID       = "mpath-" // and the WWID
	partitionUUID = "part"   // and N, and a hyphen, and the uuid of the map
)

// ofMultipath makes a device of device-mapper a multipath map, or the partition of one, by its
// uuid. Where the partition begins only the map's table of partitions has.
func (d *Device) ofMultipath(uuid string) {
	if strings.HasPrefix(uuid, mapUUID) {
		d.Kind = KindMultipath
		return
	}
	number, of, _ := strings.Cut(strings.TrimPrefix(uuid, partitionUUID), "-")
	n, err := strconv.ParseUint(number, 10, 16)
	if strings.HasPrefix(uuid, partitionUUID) && err == nil && n > 0 && strings.HasPrefix(of, mapUUID) {
		d.Kind, d.Partition = KindPartition, &Partition{Number: int(n), Size: d.Size}
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
