package images

import (
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	sectorSize = 512
	// mbrSlots is the number of primary partitions.
	mbrSlots = 4
	// Offsets in the sector: disk signature, partition table, boot signature.
	mbrSignature, mbrTable, mbrMagic = 440, 446, 510
	// linuxType is the partition type of Linux file systems.
	linuxType = 0x83
	// mbrActive, first in an entry, makes its partition the one to boot from.
	mbrActive = 0x80
)

// mbrEntry is one entry of an MBR partition table, in sectors of 512 bytes.
type mbrEntry struct {
	First, Sectors uint32
}

// end is the first sector after the partition.
func (p mbrEntry) end() uint64 { return uint64(p.First) + uint64(p.Sectors) }

var (
	errMBRCount   = fmt.Errorf("more than %d partitions", mbrSlots)
	errMBRRange   = errors.New("partition is empty, begins in the table, or ends beyond 2^32 sectors")
	errMBROverlap = errors.New("partitions overlap or are out of order")
)

// encodeMBR is a disk's first sector. The kernel makes PARTUUIDs of the signature: SSSSSSSS-NN.
// Addresses by cylinder are set to the value for "use the sector number".
func encodeMBR(signature uint32, parts []mbrEntry) ([sectorSize]byte, error) {
	var b [sectorSize]byte
	if len(parts) > mbrSlots {
		return b, fmt.Errorf("encode mbr: %w", errMBRCount)
	}
	binary.LittleEndian.PutUint32(b[mbrSignature:], signature)
	next := uint64(1)
	for i, p := range parts {
		if p.Sectors == 0 || p.First == 0 || p.end() > 1<<32 {
			return b, fmt.Errorf("encode mbr: partition %d: %w", i+1, errMBRRange)
		}
		if uint64(p.First) < next {
			return b, fmt.Errorf("encode mbr: partition %d: %w", i+1, errMBROverlap)
		}
		next = p.end()
		e := b[mbrTable+16*i:]
		copy(e[1:], []byte{0xfe, 0xff, 0xff})
		e[4] = linuxType
		copy(e[5:], []byte{0xfe, 0xff, 0xff})
		binary.LittleEndian.PutUint32(e[8:], p.First)
		binary.LittleEndian.PutUint32(e[12:], p.Sectors)
	}
	b[mbrMagic], b[mbrMagic+1] = 0x55, 0xaa
	return b, nil
}
