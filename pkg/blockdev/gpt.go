package blockdev

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math"
)

// Layout of the GPT header and its entries (UEFI specification section 5.3, block/partitions/efi.h:
// struct _gpt_header, struct _gpt_entry).
const (
	gptMagic      = "EFI PART"
	gptSizeAt     = 12 // __le32 header_size
	gptCRCAt      = 16 // __le32 header_crc32
	gptSelfAt     = 24 // __le64 my_lba
	gptEntriesAt  = 72 // __le64 partition_entry_lba
	gptCountAt    = 80 // __le32 num_partition_entries
	gptEntryLenAt = 84 // __le32 sizeof_partition_entry
	gptEntryCRCAt = 88 // __le32 partition_entry_array_crc32
	gptHeaderLen  = 92
	gptEntryLen   = 128     // the only one that the kernel accepts
	gptMaxEntries = 1 << 12 // a limit of this program: 512 KiB of table; tools write 128

	gptUUIDAt  = 16 // efi_guid_t unique_partition_guid
	gptFirstAt = 32 // __le64 starting_lba
	gptLastAt  = 40 // __le64 ending_lba, included
	gptNameAt  = 56 // __le16 partition_name[36]
)

// readGPT reads the primary header and its entries.
func readGPT(r io.ReaderAt, sector int64) ([]Partition, error) {
	h := make([]byte, sector)
	if err := readAt(r, h, sector); err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	size := int64(le.Uint32(h[gptSizeAt:]))
	if string(h[:len(gptMagic)]) != gptMagic || size < gptHeaderLen || size > sector || le.Uint64(h[gptSelfAt:]) != 1 {
		return nil, fmt.Errorf("gpt header is damaged: %w", ErrNoTable)
	}
	sum := le.Uint32(h[gptCRCAt:])
	clear(h[gptCRCAt : gptCRCAt+4])
	if crc32.ChecksumIEEE(h[:size]) != sum {
		return nil, fmt.Errorf("gpt header has a wrong checksum: %w", ErrNoTable)
	}
	count, at := le.Uint32(h[gptCountAt:]), le.Uint64(h[gptEntriesAt:])
	if le.Uint32(h[gptEntryLenAt:]) != gptEntryLen || count > gptMaxEntries || at > uint64(math.MaxInt64/sector)-1 {
		return nil, fmt.Errorf("gpt header is damaged: %w", ErrNoTable)
	}
	entries := make([]byte, count*gptEntryLen)
	if err := readAt(r, entries, int64(at)*sector); err != nil {
		return nil, err
	}
	if crc32.ChecksumIEEE(entries) != le.Uint32(h[gptEntryCRCAt:]) {
		return nil, fmt.Errorf("gpt entries have a wrong checksum: %w", ErrNoTable)
	}
	return gptPartitions(entries, sector), nil
}

// gptPartitions numbers the used entries by their place.
func gptPartitions(entries []byte, sector int64) []Partition {
	var parts []Partition
	le := binary.LittleEndian
	for i := range min(len(entries)/gptEntryLen, maxPartitions-1) {
		e := entries[i*gptEntryLen : (i+1)*gptEntryLen]
		first, last := le.Uint64(e[gptFirstAt:]), le.Uint64(e[gptLastAt:])
		if allZero(e[:16]) || first > last || last >= uint64(math.MaxInt64/sector) {
			continue
		}
		parts = append(parts, Partition{
			Number: i + 1,
			Start:  int64(first) * sector,
			Size:   int64(last-first+1) * sector,
			UUID:   guid(e[gptUUIDAt : gptUUIDAt+16]),
			Label:  text16(e[gptNameAt:gptEntryLen], le.Uint16),
		})
	}
	return parts
}

// guid writes an EFI GUID, whose first three fields are little-endian.
func guid(b []byte) string {
	return uuid([]byte{
		b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6],
		b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15],
	})
}
