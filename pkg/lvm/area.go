package lvm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// struct mda_header of lib/format_text/layout.h, in one sector:
//
//	uint32_t checksum_xl; int8_t magic[16]; uint32_t version; uint64_t start; uint64_t size;
//	struct raw_locn { uint64_t offset; uint64_t size; uint32_t checksum; uint32_t flags; } []
//
// The first raw_locn is the text that counts; a second one was never committed.
const (
	areaHeaderLen  = sectorSize
	areaMagic      = " LVM2 x[5A%r0N*>"
	areaMagicAt    = 4
	areaVersionAt  = 20
	areaStartAt    = 24
	areaSizeAt     = 32
	textOffsetAt   = 40
	textSizeAt     = 48
	textChecksumAt = 56
	textFlagsAt    = 60
)

// maxText limits the text of a VG in bytes. lvm2 limits it by the area only, which is 1 MiB unless
// --metadatasize asks for more; a VG of 1000 LVs has about 0.5 MiB.
const maxText = 16 << 20

// readArea returns the text of a metadata area, nil if the area is not in use.
func readArea(r io.ReaderAt, size int64, a extent) (*Copy, error) {
	if a.start > uint64(size) || uint64(size)-a.start < areaHeaderLen || a.length > uint64(size)-a.start {
		return nil, fmt.Errorf("%d bytes, beyond the device of %d bytes", a.length, size)
	}
	h := make([]byte, areaHeaderLen)
	if err := readFull(r, h, int64(a.start)); err != nil {
		return nil, err
	}
	length, err := checkArea(h, a)
	if err != nil {
		return nil, err
	}
	if length > uint64(size)-a.start {
		return nil, fmt.Errorf("%d bytes, beyond the device of %d bytes", length, size)
	}
	text, err := readText(r, h, int64(a.start), int64(length))
	if err != nil || text == nil {
		return nil, err
	}
	vg, err := Parse(text)
	if err != nil {
		return nil, err
	}
	return &Copy{At: int64(a.start), VG: vg}, nil
}

// checkArea checks an area's header as raw_parse_mda_header does (format-text.c), and returns the
// area's length, the header included.
func checkArea(h []byte, a extent) (uint64, error) {
	le := binary.LittleEndian
	length := le.Uint64(h[areaSizeAt:])
	switch {
	case string(h[areaMagicAt:areaMagicAt+len(areaMagic)]) != areaMagic:
		return 0, errors.New("no header")
	case le.Uint32(h) != checksum(h[areaMagicAt:]):
		return 0, errors.New("header with a wrong checksum")
	case le.Uint32(h[areaVersionAt:]) != 1:
		return 0, fmt.Errorf("header of version %d, not 1", le.Uint32(h[areaVersionAt:]))
	case le.Uint64(h[areaStartAt:]) != a.start:
		return 0, fmt.Errorf("header belongs to byte %d", le.Uint64(h[areaStartAt:]))
	case length <= areaHeaderLen || length > math.MaxInt64:
		return 0, fmt.Errorf("header with a length of %d bytes", length)
	}
	return length, nil
}

// readText returns the text of an area, nil if there is none. The area behind its header is a ring.
func readText(r io.ReaderAt, h []byte, start, length int64) ([]byte, error) {
	const ignored = 1 // RAW_LOCN_IGNORED: pvchange --metadataignore, vgchange --metadatacopies
	le := binary.LittleEndian
	offset, n := le.Uint64(h[textOffsetAt:]), le.Uint64(h[textSizeAt:])
	switch {
	case offset == 0, le.Uint32(h[textFlagsAt:])&ignored != 0:
		return nil, nil
	case offset < areaHeaderLen || offset >= uint64(length) || n == 0 || n > uint64(length-areaHeaderLen):
		return nil, fmt.Errorf("text of %d bytes at %d, outside of the area of %d bytes", n, offset, length)
	case n > maxText:
		return nil, fmt.Errorf("text of %d bytes, more than %d", n, maxText)
	}
	text := make([]byte, n)
	first := min(int64(n), length-int64(offset))
	if err := readFull(r, text[:first], start+int64(offset)); err != nil {
		return nil, err
	}
	if err := readFull(r, text[first:], start+areaHeaderLen); err != nil {
		return nil, err
	}
	if le.Uint32(h[textChecksumAt:]) != checksum(text) {
		return nil, errors.New("text with a wrong checksum")
	}
	return text, nil
}
