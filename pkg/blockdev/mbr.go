package blockdev

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Layout of the MBR and of the extended boot records, which are alike
// (include/linux/msdos_partition.h: struct msdos_partition).
const (
	mbrSignatureAt = 440 // __le32 disk signature
	mbrEntriesAt   = 446
	mbrEntryLen    = 16
	mbrSlots       = 4
	mbrMagicAt     = 510 // 0x55 0xaa
	mbrLen         = 512

	typeProtective = 0xee // EFI_PMBR_OSTYPE_EFI_GPT
	firstLogical   = 5    // number of the first logical partition
	maxEmptyRecord = 100  // consecutive extended records without a partition (block/partitions/msdos.c: parse_extended)
)

// record is an MBR or an extended boot record.
type record [mbrLen]byte

// mbrEntry is one of the four slots. Start and size are in logical blocks.
type mbrEntry struct {
	boot, kind  byte
	start, size uint32
}

func (r *record) entry(i int) mbrEntry {
	b := r[mbrEntriesAt+i*mbrEntryLen:]
	return mbrEntry{b[0], b[4], binary.LittleEndian.Uint32(b[8:]), binary.LittleEndian.Uint32(b[12:])}
}

// maxExtended is how much of an extended partition the kernel shows, in bytes: its other contents
// are logical partitions.
const maxExtended = 1024

// extended reports whether the entry holds logical partitions (DOS_EXTENDED_PARTITION,
// WIN98_EXTENDED_PARTITION, LINUX_EXTENDED_PARTITION).
func (e mbrEntry) extended() bool { return e.kind == 0x05 || e.kind == 0x0f || e.kind == 0x85 }

// readSector returns nil for a sector without the magic, or beyond the end.
func readSector(r io.ReaderAt, off int64) (*record, error) {
	var rec record
	switch err := readAt(r, rec[:], off); {
	case err == ErrNoTable:
		return nil, nil
	case err != nil:
		return nil, err
	case rec[mbrMagicAt] != 0x55 || rec[mbrMagicAt+1] != 0xaa:
		return nil, nil
	}
	return &rec, nil
}

// readMBR reads the primary partitions and then the logical ones. A file system's boot sector has
// the same magic, but no valid flags.
func readMBR(r io.ReaderAt, mbr *record, sector int64) ([]Partition, error) {
	var parts []Partition
	for i := range mbrSlots {
		e := mbr.entry(i)
		if e.boot != 0 && e.boot != 0x80 {
			return nil, ErrNoTable
		}
		size := int64(e.size) * sector
		if e.extended() { // as the kernel has it (block/partitions/msdos.c: msdos_partition)
			size = min(size, max(sector, maxExtended))
		}
		if e.size > 0 {
			parts = append(parts, Partition{Number: i + 1, Start: int64(e.start) * sector, Size: size})
		}
	}
	logical := firstLogical
	for i := range mbrSlots {
		if e := mbr.entry(i); e.size > 0 && e.extended() {
			more, err := readExtended(r, int64(e.start), sector, logical)
			if err != nil {
				return nil, err
			}
			parts = append(parts, more...)
			logical += len(more)
		}
	}
	if len(parts) == 0 {
		return nil, ErrNoTable
	}
	signature := binary.LittleEndian.Uint32(mbr[mbrSignatureAt:])
	for i := range parts {
		parts[i].UUID = fmt.Sprintf("%08x-%02x", signature, parts[i].Number)
	}
	return parts, nil
}

// readExtended follows the chain of extended boot records. Partitions count from the record they
// stand in, links from the first one. A chain that returns to an earlier record ends there.
func readExtended(r io.ReaderAt, first, sector int64, number int) ([]Partition, error) {
	var parts []Partition
	seen := map[int64]bool{}
	for at, empty := first, 0; !seen[at] && empty < maxEmptyRecord && number+len(parts) < maxPartitions; empty++ {
		seen[at] = true
		rec, err := readSector(r, at*sector)
		if rec == nil || err != nil {
			return parts, err
		}
		next := int64(0)
		for i := range mbrSlots {
			switch e := rec.entry(i); {
			case e.size == 0:
			case e.extended():
				if next == 0 {
					next = first + int64(e.start)
				}
			// Only the first two slots are in use; what the others hold is mostly
			// rubbish.
			case i < 2:
				parts = append(parts, Partition{Number: number + len(parts), Start: (at + int64(e.start)) * sector, Size: int64(e.size) * sector})
				empty = 0
			}
		}
		if next == 0 {
			return parts, nil
		}
		at = next
	}
	return parts, nil
}
