package blockdev

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Device is a block device with a node: a disk or a partition.
type Device struct {
	Name         string // "sda2"
	Partition    int    // 0 for a whole disk
	Start        int64  // bytes from the start of the disk
	Size         int64  // bytes
	Major, Minor uint32
}

// Path is the device's node.
func (d Device) Path() string { return "/dev/" + d.Name }

// Disk returns the whole disk and its partitions, in the order of their
// numbers, as the kernel sees them. sys is the mount point of sysfs.
func Disk(sys, disk string) (whole Device, parts []Device, err error) {
	dir := filepath.Join(sys, "class/block", disk)
	whole = readDevice(dir)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return whole, nil, fmt.Errorf("list partitions of %s: %w", disk, err)
	}
	for _, e := range entries {
		if n, ok := readNumber(filepath.Join(dir, e.Name(), "partition")); ok {
			p := readDevice(filepath.Join(dir, e.Name()))
			p.Partition = n
			parts = append(parts, p)
		}
	}
	slices.SortFunc(parts, func(a, b Device) int { return a.Partition - b.Partition })
	return whole, parts, nil
}

// readDevice reads a device's directory. Start and size are in sectors of 512
// bytes there, whatever the disk's own are.
func readDevice(dir string) Device {
	d := Device{Name: filepath.Base(dir)}
	start, _ := readNumber(filepath.Join(dir, "start"))
	size, _ := readNumber(filepath.Join(dir, "size"))
	d.Start, d.Size = int64(start)*512, int64(size)*512
	b, err := os.ReadFile(filepath.Join(dir, "dev"))
	if err != nil {
		return d
	}
	major, minor, _ := strings.Cut(strings.TrimSpace(string(b)), ":")
	ma, err1 := strconv.ParseUint(major, 10, 32)
	mi, err2 := strconv.ParseUint(minor, 10, 32)
	if err1 == nil && err2 == nil {
		d.Major, d.Minor = uint32(ma), uint32(mi)
	}
	return d
}

// Disks returns the names of all disks that have a medium, sorted, except
// those that are made of memory or of other disks.
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
