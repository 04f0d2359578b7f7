package blockdev

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Info is a device with all that a root can be asked for by.
type Info struct {
	Device
	Disk string // name of the whole disk
	// FS is what the superblock tells, FSErr why it tells nothing.
	FS    Filesystem
	FSErr error
	// PartUUID and PartLabel are of the partition table's entry.
	PartUUID, PartLabel string
	// IDs are the names that the disk has below /dev/disk/by-id, by page 0x83
	// of its vital product data.
	IDs []string
}

// Inspect reads the partition table of a disk and the superblocks of it and its
// partitions. sys is the mount point of sysfs, dev that of devtmpfs. It fails
// where the disk is not there; what cannot be read is told in FSErr.
func Inspect(sys, dev, disk string) ([]Info, error) {
	whole, parts, err := Disk(sys, disk)
	if err != nil {
		return nil, err
	}
	table, tableErr := readTable(sys, filepath.Join(dev, disk), disk)
	ids := diskIDs(sys, disk)
	var out []Info
	for _, d := range append([]Device{whole}, parts...) {
		info := Info{Device: d, Disk: disk, IDs: ids}
		info.FS, info.FSErr = ProbeDevice(filepath.Join(dev, d.Name))
		for _, p := range table {
			if d.Partition > 0 && p.Number == d.Partition && p.Start == d.Start {
				info.PartUUID, info.PartLabel = p.UUID, p.Label
			}
		}
		out = append(out, info)
	}
	if tableErr != nil && len(parts) > 0 {
		return out, fmt.Errorf("%s has partitions but %w", disk, tableErr)
	}
	return out, nil
}

// readTable reads a disk's partition table; the kernel knows its sector size.
func readTable(sys, path, disk string) ([]Partition, error) {
	sector, ok := readNumber(filepath.Join(sys, "class/block", disk, "queue/logical_block_size"))
	if !ok {
		sector = minSector
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return ReadTable(f, int64(sector))
}

// diskIDs reads what a SCSI disk says that it is.
func diskIDs(sys, disk string) []string {
	b, err := os.ReadFile(filepath.Join(sys, "class/block", disk, "device/vpd_pg83"))
	if err != nil {
		return nil // not SCSI, or a disk that does not say
	}
	return parseIDs(b)
}

// Describe says in a few words what a device is, for a list of what there is:
// `sda2 (512 MiB, ext4, LABEL=root, UUID=...)`.
func (i Info) Describe() string {
	s := fmt.Sprintf("%s (%d MiB", i.Name, i.Size>>20)
	var several *AmbiguousError
	switch {
	case errors.Is(i.FSErr, ErrNoFilesystem):
		s += ", no file system"
	case errors.As(i.FSErr, &several):
		s += ", " + several.Error()
	case i.FSErr != nil:
		s += ", cannot be read"
	default:
		s += ", " + i.FS.Type
	}
	for _, v := range [][2]string{{"LABEL", i.FS.Label}, {"UUID", i.FS.UUID}, {"PARTLABEL", i.PartLabel}, {"PARTUUID", i.PartUUID}} {
		if v[1] != "" {
			s += ", " + v[0] + "=" + printable(v[1])
		}
	}
	return s + ")"
}

// printable keeps what a disk says from steering a terminal.
func printable(s string) string {
	out := []rune(s)
	for i, r := range out {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			out[i] = '?'
		}
	}
	return string(out)
}
