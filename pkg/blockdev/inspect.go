package blockdev

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/iscsiroot/iscsiroot/pkg/words"
)

// Content is the contents of a device.
type Content struct {
	// FS is the file system of the superblock, Err why none was read.
	FS  Filesystem
	Err error
}

// Inspect reads the partition tables and superblocks of devices, each of which follows the devices
// below it, as by Open. sys is the mount point of sysfs, dev that of devtmpfs. It fails if there
// are partitions without a table; other errors are in Content.
func Inspect(ctx context.Context, sys, dev string, devices []*Device) error {
	var failed error
	for _, d := range devices {
		if d.Kind != KindPartition {
			var err error
			d.table, err = readTable(ctx, filepath.Join(dev, d.Name), d.SectorSize)
			d.IDs = idsOf(sys, d)
			if parted := func(p *Device) bool { return has(p.Parents, d.Name) }; err != nil && slices.ContainsFunc(devices, parted) {
				failed = errors.Join(failed, fmt.Errorf("%s has partitions but %w", d.Name, err))
			}
		}
		d.setEntry()
		d.Content = &Content{}
		path := filepath.Join(dev, d.Name)
		d.Content.FS, d.Content.Err = ProbeDevice(ctx, path)
		d.memberAtEnd = d.Content.FS.Type == Member && HasMemberAtEnd(func(path string) (*File, error) { return Open(ctx, path) }, path)
	}
	return failed
}

// setEntry sets the entry of the table of a partition.
func (d *Device) setEntry() {
	if d.Partition == nil || len(d.Parents) == 0 {
		return
	}
	for _, p := range d.Parents[0].table {
		if p.Number == d.Partition.Number && (p.Start == d.Partition.Start || d.Map != "") {
			d.Partition.Start, d.Partition.UUID, d.Partition.Label = p.Start, p.UUID, p.Label
		}
	}
}

// readTable reads a disk's partition table.
func readTable(ctx context.Context, path string, sector int64) ([]Partition, error) {
	f, err := Open(ctx, path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return ReadTable(f, cmp.Or(sector, minSector))
}

// idsOf reads the identifiers of a disk or a multipath map.
func idsOf(sys string, d *Device) []string {
	if d.Kind == KindMultipath {
		return mapIDs(sys, d)
	}
	return diskIDs(sys, d.Name)
}

// diskIDs reads the identifiers of a SCSI disk.
func diskIDs(sys, disk string) []string {
	b, err := os.ReadFile(filepath.Join(sys, "class/block", disk, "device/vpd_pg83"))
	if err != nil {
		return nil // not SCSI, or a disk without identifiers
	}
	return parseIDs(b)
}

// Describe describes a device briefly, for a list: `sda2 (512 MiB, ext4, LABEL=root, UUID=...)`.
func (d *Device) Describe() string {
	name := cmp.Or(d.Map, d.Name)
	if d.Array != nil && d.Array.Name != "" {
		name = "md/" + d.Array.ShortName()
	}
	s := fmt.Sprintf("%s (%d MiB", name, d.Size>>20)
	var several *AmbiguousError
	var c Content
	var entry Partition
	if d.Content != nil {
		c = *d.Content
	}
	if d.Partition != nil {
		entry = *d.Partition
	}
	switch {
	case errors.Is(c.Err, ErrNoFilesystem):
		s += ", no file system"
	case errors.As(c.Err, &several):
		s += ", " + several.Error()
	case c.Err != nil:
		s += ", cannot be read"
	default:
		s += ", " + c.FS.Type
	}
	for _, v := range [][2]string{{"LABEL", c.FS.Label}, {"UUID", c.FS.UUID}, {"PARTLABEL", entry.Label}, {"PARTUUID", entry.UUID}} {
		if v[1] != "" {
			s += ", " + v[0] + "=" + words.Mask(v[1])
		}
	}
	return s + ")"
}
