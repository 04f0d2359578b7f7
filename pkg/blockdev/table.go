package blockdev

import (
	"errors"
	"fmt"
	"io"
)

// Limits of a valid partition table. The kernel makes at most 256 partitions
// (block/partitions/check.c, DISK_MAX_PARTS).
const (
	maxPartitions = 256
	minSector     = 512  // bytes; the kernel accepts no SCSI disk with others
	maxSector     = 4096 // bytes (drivers/scsi/sd.c: sd_read_capacity)
)

// ErrNoTable reports that a disk has no partition table that the kernel would use.
var ErrNoTable = errors.New("no partition table")

// Partition is an entry of a partition table.
type Partition struct {
	Number int    // the kernel's number
	Start  int64  // bytes from the start of the disk
	Size   int64  // bytes
	UUID   string // PARTUUID, in lower case
	Label  string // PARTLABEL; MBR has none
}

// ReadTable reads a disk's GPT or MBR. sector is the disk's logical block size in bytes. Like the
// kernel it accepts a GPT only behind a protective MBR and with correct checksums, and does not use
// the copy at the end.
func ReadTable(r io.ReaderAt, sector int64) ([]Partition, error) {
	if sector < minSector || sector > maxSector || sector&(sector-1) != 0 {
		return nil, fmt.Errorf("partition table: sectors of %d bytes: %w", sector, errors.ErrUnsupported)
	}
	mbr, err := readSector(r, 0)
	if err != nil {
		return nil, err
	}
	if mbr == nil {
		return nil, ErrNoTable
	}
	for i := range mbrSlots {
		if mbr.entry(i).kind == typeProtective {
			return readGPT(r, sector)
		}
	}
	return readMBR(r, mbr, sector)
}

// readAt is ReadAt that returns ErrNoTable at the end of the disk.
func readAt(r io.ReaderAt, b []byte, off int64) error {
	n, err := r.ReadAt(b, off)
	switch {
	case n == len(b):
		return nil
	case errors.Is(err, io.EOF):
		return ErrNoTable
	}
	return fmt.Errorf("partition table: %w", err)
}
