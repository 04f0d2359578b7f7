// Package images makes what machines of a lab boot and mount: a [Tree] of files as a value, an
// initramfs of it, and disk images with partitions and file systems, which can be cloned, read and
// checked from the host.
package images

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
)

const (
	mib = 1 << 20
	// firstPartition is where the first partition begins, in bytes: the place every
	// partitioning tool uses today.
	firstPartition = 1 * mib
	// DiskSignature is the MBR signature of every disk with partitions: its second one has the
	// PARTUUID 15c51007-02.
	DiskSignature = 0x15c51007
)

// Disk is a raw image file with file systems.
type Disk struct {
	// Path is the image file.
	Path string
	// offsets of the file systems in bytes, partition 1 first; a whole-disk file system is the
	// only one.
	offsets []int64
}

// WriteDisk makes a sparse image with an MBR and one primary partition for each of the one to four
// file systems.
func WriteDisk(path string, systems ...Filesystem) (*Disk, error) {
	d := &Disk{Path: path}
	var end int64
	d.offsets, end = layout(systems)
	var parts []mbrEntry
	for i, f := range systems {
		parts = append(parts, mbrEntry{First: uint32(d.offsets[i] / sectorSize), Sectors: uint32(f.size() / sectorSize)})
	}
	if end > 1<<41 { // 2^32 sectors
		return nil, fmt.Errorf("write disk %s: %w", path, errMBRRange)
	}
	table, err := encodeMBR(DiskSignature, parts)
	if err == nil {
		err = d.write(table[:], end, systems)
	}
	if err != nil {
		return nil, fmt.Errorf("write disk %s: %w", path, err)
	}
	return d, nil
}

// layout is where the partitions begin, and where the last one ends, in bytes.
func layout(systems []Filesystem) (offsets []int64, end int64) {
	end = firstPartition
	for _, f := range systems {
		offsets = append(offsets, end)
		end += f.size()
	}
	return offsets, end
}

// WriteWholeDisk makes a sparse image that is one file system without a partition table.
func WriteWholeDisk(path string, f Filesystem) (*Disk, error) {
	d := &Disk{Path: path, offsets: []int64{0}}
	if err := d.write(nil, f.size(), []Filesystem{f}); err != nil {
		return nil, fmt.Errorf("write disk %s: %w", path, err)
	}
	return d, nil
}

// OpenDisk is an image that exists, with file systems at these offsets in bytes: partitions 1, 2
// and so on of the other methods, wherever they are.
func OpenDisk(path string, offsets ...int64) *Disk { return &Disk{Path: path, offsets: offsets} }

func (d *Disk) write(head []byte, size int64, systems []Filesystem) error {
	if err := os.WriteFile(d.Path, head, 0o644); err != nil {
		return err
	}
	if err := os.Truncate(d.Path, size); err != nil {
		return err
	}
	for i, f := range systems {
		if err := f.Make(d.Path, d.offsets[i]); err != nil {
			return fmt.Errorf("file system %d: %w", i+1, err)
		}
	}
	return nil
}

var errNoPartition = errors.New("no such partition")

// at is the place of a partition's file system in the notation of e2fsprogs. Partition 0 is the
// whole disk.
func (d *Disk) at(partition int) (string, error) {
	i := max(partition-1, 0)
	if i >= len(d.offsets) || (partition == 0) != (d.offsets[0] == 0) {
		return "", fmt.Errorf("partition %d: %w", partition, errNoPartition)
	}
	return fmt.Sprintf("%s?offset=%d", d.Path, d.offsets[i]), nil
}

// SHA256 is the image's digest in hex.
func (d *Disk) SHA256() (string, error) {
	f, err := os.Open(d.Path)
	if err != nil {
		return "", fmt.Errorf("digest disk: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("digest disk: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
