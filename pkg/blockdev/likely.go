package blockdev

import "slices"

// Base is what a device is or, of a partition, what it is on.
type Base int

// What a device is.
const (
	OnDisk Base = iota // or a multipath map
	OnArray
	OnMap // of device-mapper, as a volume
)

// Base returns it.
func (d *Device) Base() Base {
	switch {
	case d.Kind == KindDM:
		return OnMap
	case d.Kind == KindMD:
		return OnArray
	case d.Kind == KindPartition && len(d.Parents) > 0:
		return d.Parents[0].Base()
	}
	return OnDisk
}

// Likely orders a disk's devices: partition 2, where the HOWTO has root, the other partitions, the
// whole disk.
func Likely(devices []*Device) []*Device {
	var second, rest, whole []*Device
	for _, d := range devices {
		switch {
		case d.Partition == nil:
			whole = append(whole, d)
		case d.Partition.Number == 2:
			second = append(second, d)
		default:
			rest = append(rest, d)
		}
	}
	return slices.Concat(second, rest, whole)
}
