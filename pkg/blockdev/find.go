package blockdev

import (
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/multipath"
)

// Find returns the devices that want names, several if they are copies of each other. The devices
// must have been inspected. It has no access to their sessions, and does not know the arrays that
// were not started: bootspec.BySession, bootspec.ByPath and bootspec.ByArray match no device.
func Find(devices []*Device, want bootspec.Device) []*Device {
	var out []*Device
	only := onlyMap(devices)
	for _, d := range devices {
		named := d.is(want) || want.By == bootspec.ByOnlyMap && only != nil && d.PartitionOf(only, want.Partition)
		if !named || d.Partition != nil && len(d.Parents) > 0 && d.Parents[0].memberAtEnd {
			continue
		}
		if want.Offset == 0 {
			out = append(out, d)
			continue
		}
		for _, other := range devices {
			if other.beside(d, want.Offset) {
				out = append(out, other)
			}
		}
	}
	return out
}

// mapUUIDLink begins the name of a multipath map below by-id, in front of its WWID.
const mapUUIDLink = "dm-uuid-" + multipath.UUIDPrefix

// onlyMap returns the multipath map, or the disk of a session if there is no map; nil: there are
// several, or none.
func onlyMap(devices []*Device) *Device {
	var maps, disks []*Device
	for _, d := range devices {
		switch {
		case d.Kind == KindMultipath:
			maps = append(maps, d)
		case d.LUN != nil:
			disks = append(disks, d)
		}
	}
	if len(maps) == 0 {
		maps = disks
	}
	if len(maps) != 1 {
		return nil
	}
	return maps[0]
}

// beside reports whether two devices are partitions of the same device and which: d's number is
// higher by offset.
func (d *Device) beside(other *Device, offset int) bool {
	whole := other
	if len(other.Parents) > 0 {
		whole = other.Parents[0]
	}
	return d.Partition != nil && d.PartitionOf(whole, other.number()+offset)
}

// is reports whether want names the device, leaving its offset aside.
func (d *Device) is(want bootspec.Device) bool {
	var fsys Filesystem
	var entry Partition
	if d.Content != nil {
		fsys = d.Content.FS
	}
	if d.Partition != nil {
		entry = *d.Partition
	}
	switch want.By {
	case bootspec.ByNode:
		return d.Name == want.Text
	case bootspec.ByNumber:
		return d.Number == Number{want.Major, want.Minor}
	case bootspec.ByUUID:
		return strings.EqualFold(fsys.UUID, want.Text)
	case bootspec.ByLabel:
		return fsys.Label == want.Text
	case bootspec.ByPartUUID:
		return strings.EqualFold(entry.UUID, want.Text)
	case bootspec.ByPartLabel:
		return entry.Label == want.Text
	case bootspec.ByVolume:
		return d.Map != "" && d.Map == want.Text
	case bootspec.ByID:
		return entry.Number == want.Partition && slices.Contains(d.ids(), want.Text)
	case bootspec.ByMap:
		ids := d.ids()
		return entry.Number == want.Partition && (slices.Contains(ids, mapUUIDLink+want.Text) || slices.Contains(ids, "scsi-"+want.Text))
	}
	return false
}

// ids are the names below by-id, a partition's without its number.
func (d *Device) ids() []string {
	if d.Partition != nil && len(d.Parents) > 0 {
		return d.Parents[0].IDs
	}
	return d.IDs
}
