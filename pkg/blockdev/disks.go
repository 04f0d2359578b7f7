package blockdev

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Partitions returns the partitions of a disk, in the order of their numbers in the kernel; of a
// multipath map those that were made. sys is the mount point of sysfs.
func Partitions(sys string, disk *Device) ([]*Device, error) {
	dir := filepath.Join(sys, "class/block", disk.Name)
	if disk.Kind == KindMultipath {
		return mapPartitions(sys, disk), nil
	}
	names, err := partitionNames(dir)
	if err != nil {
		return nil, fmt.Errorf("list partitions of %s: %w", disk.Name, err)
	}
	var parts []*Device
	for _, name := range names {
		sub := filepath.Join(dir, name)
		if n, ok := readNumber(filepath.Join(sub, "partition")); ok {
			p := readAttributes(sub)
			p.partition(disk, n, sub)
			parts = insert(parts, p)
		}
	}
	return parts, nil
}

// insert adds a partition in the order of their numbers: sda10 comes before sda2.
func insert(parts []*Device, p *Device) []*Device {
	parts = append(parts, p)
	for i := len(parts) - 1; i > 0 && parts[i-1].Partition.Number > p.Partition.Number; i-- {
		parts[i-1], parts[i] = parts[i], parts[i-1]
	}
	return parts
}

// partitionNames returns the names of a device's partitions: directories in its own whose names
// begin with the device's (block/partitions/core.c: add_partition).
func partitionNames(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	var out []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), filepath.Base(dir)) {
			out = append(out, e.Name())
		}
	}
	return out, err
}

// Maps returns the devices of device-mapper, in the order of their names.
func Maps(sys string) []*Device {
	paths, _ := filepath.Glob(filepath.Join(sys, "class/block/dm-*")) // the pattern is good
	var out []*Device
	for _, path := range paths {
		if d, err := Read(sys, filepath.Base(path)); err == nil && d.Map != "" {
			out = append(out, d)
		}
	}
	return out
}

// Disks returns the names of all disks that have a medium, sorted, except those that are made of
// memory or of other disks.
func Disks(sys string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(sys, "block"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // a kernel without any block device
	}
	if err != nil {
		return nil, fmt.Errorf("list disks: %w", err)
	}
	var out []string
	for _, e := range entries {
		virtual := slices.ContainsFunc([]string{"ram", "zram", "loop", "dm-", "md", "fd"}, func(p string) bool {
			return strings.HasPrefix(e.Name(), p)
		})
		if n, ok := readNumber(filepath.Join(sys, "block", e.Name(), "size")); ok && n > 0 && !virtual {
			out = append(out, e.Name())
		}
	}
	return out, nil
}
