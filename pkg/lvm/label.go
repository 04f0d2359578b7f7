package lvm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// ErrNoLabel is returned for a device that is no PV.
var ErrNoLabel = errors.New("no LVM2 label")

const sectorSize = 512

// PV is what a device has of LVM.
type PV struct {
	ID     ID
	Size   uint64 // of the device as the label has it, in bytes
	Device int64  // the device's size in bytes
	Used   bool   // the label's flag that a VG has the PV (layout.h: PV_EXT_USED)
	Copies []Copy // of the metadata of its VG; none if the PV has no area for it, or is in no VG

	// Damaged are metadata areas that cannot be read; other copies may be good.
	Damaged []error
}

// Copy is one text of metadata.
type Copy struct {
	At int64 // of the area, in bytes
	VG *VG
}

// extent is a range of the device in bytes (layout.h: struct disk_locn). A length of 0 reaches to
// the end of the device.
type extent struct{ start, length uint64 }

// ReadPV reads the label and the metadata of a device of so many bytes. The error is ErrNoLabel
// where there is no label, otherwise it tells what is wrong with the label, or is the reader's.
func ReadPV(r io.ReaderAt, size int64) (PV, error) {
	sector, at, err := findLabel(r, size)
	if err != nil {
		return PV{}, err
	}
	pv, areas, err := parseLabel(sector)
	if err != nil {
		return PV{}, fmt.Errorf("lvm label at byte %d: %w", at, err)
	}
	pv.Device = size
	for i, a := range areas {
		if i == maxAreas {
			break
		}
		c, err := readArea(r, size, a)
		switch {
		case err != nil:
			pv.Damaged = append(pv.Damaged, fmt.Errorf("metadata area at byte %d: %w", a.start, err))
		case c != nil:
			pv.Copies = append(pv.Copies, *c)
		}
	}
	return *pv, nil
}

// maxAreas is how many metadata areas lvm2 reads (lib/format_text/text_label.c: _text_read).
const maxAreas = 2

// struct label_header of lib/label/label.h.
const (
	labelSectors  = 4  // LABEL_SCAN_SECTORS
	labelSectorAt = 8  // uint64_t sector_xl
	labelCRCAt    = 16 // uint32_t crc_xl, of what follows it in the sector
	labelOffsetAt = 20 // uint32_t offset_xl, of struct pv_header
	labelTypeAt   = 24 // int8_t type[8]
	labelLen      = 32
)

// findLabel returns the first label that is whole, and where it is. As in lvm2 (lib/label/label.c:
// _find_lvm_header) a damaged one is passed over; if there is no other, the error names it.
func findLabel(r io.ReaderAt, size int64) ([]byte, int64, error) {
	b := make([]byte, max(0, min(size, labelSectors*sectorSize)))
	if err := readFull(r, b, 0); err != nil {
		return nil, 0, err
	}
	damaged := ErrNoLabel
	for i := 0; i+sectorSize <= len(b); i += sectorSize {
		s := b[i : i+sectorSize]
		if string(s[:8]) != "LABELONE" || string(s[labelTypeAt:labelTypeAt+8]) != "LVM2 001" {
			continue
		}
		switch {
		case binary.LittleEndian.Uint64(s[labelSectorAt:]) != uint64(i/sectorSize):
			damaged = fmt.Errorf("lvm label at byte %d: belongs to sector %d", i, binary.LittleEndian.Uint64(s[labelSectorAt:]))
		case binary.LittleEndian.Uint32(s[labelCRCAt:]) != checksum(s[labelOffsetAt:]):
			damaged = fmt.Errorf("lvm label at byte %d: wrong checksum", i)
		default:
			return s, int64(i), nil
		}
	}
	return nil, 0, damaged
}

// parseLabel reads struct pv_header and its extension (layout.h) from a label's sector:
//
//	int8_t pv_uuid[32]; uint64_t device_size_xl;
//	struct disk_locn disk_areas_xl[]: data areas, {0, 0}, metadata areas, {0, 0}
//	uint32_t version; uint32_t flags; ...
func parseLabel(sector []byte) (*PV, []extent, error) {
	at := binary.LittleEndian.Uint32(sector[labelOffsetAt:])
	if at < labelLen || at > sectorSize-idLen-8 {
		return nil, nil, fmt.Errorf("header at %d, outside of the sector", at)
	}
	b := sector[at:]
	id, err := ParseID(string(b[:idLen]))
	if err != nil {
		return nil, nil, err
	}
	pv := &PV{ID: id, Size: binary.LittleEndian.Uint64(b[idLen:])}
	b = b[idLen+8:]
	if _, b, err = extents(b); err != nil {
		return nil, nil, fmt.Errorf("data areas: %w", err)
	}
	areas, b, err := extents(b)
	if err != nil {
		return nil, nil, fmt.Errorf("metadata areas: %w", err)
	}
	if len(b) >= 8 && binary.LittleEndian.Uint32(b) >= 1 {
		const used = 1 // PV_EXT_USED
		pv.Used = binary.LittleEndian.Uint32(b[4:])&used != 0
	}
	return pv, areas, nil
}

// extents reads a list up to its end, which is an offset of 0, and returns what follows.
func extents(b []byte) ([]extent, []byte, error) {
	const size = 16
	var out []extent
	for ; len(b) >= size; b = b[size:] {
		e := extent{binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])}
		if e.start == 0 {
			return out, b[size:], nil
		}
		out = append(out, e)
	}
	return nil, nil, errors.New("the list has no end in the sector")
}

// checksum is lvm's CRC-32: the polynomial of IEEE 802.3 with another start value and without the
// inversion at the end (lib/misc/crc.c, crc.h: INITIAL_CRC).
func checksum(parts ...[]byte) uint32 {
	const initial = 0xf597a6cf
	crc := ^uint32(initial)
	for _, p := range parts {
		crc = crc32.Update(crc, crc32.IEEETable, p)
	}
	return ^crc
}

// readFull reads all of b, or returns an error.
func readFull(r io.ReaderAt, b []byte, at int64) error {
	n, err := r.ReadAt(b, at)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("read %d bytes at %d: %w", len(b), at, err)
}
