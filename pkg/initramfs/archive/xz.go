package archive

import (
	"encoding/binary"
	"fmt"
)

// The .xz file format, version 1.2.1.
const (
	xzHeader    = 12 // section 2.1.1: magic, flags, CRC32; the footer has as many
	xzMagic     = "\xfd7zXZ\x00"
	xzFilter    = 0x21 // section 5.3.1: LZMA2
	xzMaxChecks = 16
)

// xzChecks are the sizes of a block's check by its id (section 2.1.1.2).
var xzChecks = [xzMaxChecks]int{0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64}

// xzScanner walks along a stream without unpacking it.
type xzScanner struct {
	data   []byte
	at     int
	window int64 // the largest of its dictionaries
}

const errXZCut = streamError("xz: cut off")

// take returns the next n bytes.
func (s *xzScanner) take(n int) ([]byte, error) {
	if n < 0 || n > len(s.data)-s.at {
		return nil, errXZCut
	}
	b := s.data[s.at : s.at+n]
	s.at += n
	return b, nil
}

// pad moves to a multiple of 4 bytes.
func (s *xzScanner) pad() error {
	_, err := s.take(-s.at & 3)
	return err
}

// xzLength returns the length of the stream that data begins with, up to its footer, and its
// window.
func xzLength(data []byte) (n int, window int64, err error) {
	s := &xzScanner{data: data}
	head, err := s.take(xzHeader)
	if err != nil {
		return 0, 0, err
	}
	if string(head[:6]) != xzMagic || head[6] != 0 || head[7] >= xzMaxChecks {
		return 0, 0, streamError("xz: no stream header")
	}
	check := xzChecks[head[7]]
	for {
		size, err := s.take(1)
		if err != nil {
			return 0, 0, err
		}
		if size[0] == 0 {
			break // section 4.1: the index begins
		}
		if err := s.block(int(size[0]), check); err != nil {
			return 0, 0, err
		}
	}
	n, err = s.index()
	return n, s.window, err
}

// block skips one block (section 3), whose header has 4*(size+1) bytes.
func (s *xzScanner) block(size, check int) error {
	h, err := s.take(4*(size+1) - 1)
	if err != nil {
		return err
	}
	flags, h := h[0], h[1:]
	if flags&3 != 0 {
		return fmt.Errorf("xz: a filter beside LZMA2, such as --x86, is not supported")
	}
	for _, bit := range []byte{0x40, 0x80} { // sizes of the block are given
		if flags&bit != 0 {
			if _, h, err = vli(h); err != nil {
				return err
			}
		}
	}
	if len(h) < 3 || h[0] != xzFilter || h[1] != 1 || h[2] > 40 {
		return streamError("xz: no filter LZMA2")
	}
	// Section 5.3.1: 2 or 3 shifted; 40 is 4 GiB - 1.
	s.window = max(s.window, (2|int64(h[2])&1)<<(h[2]/2+11))
	if err := s.chunks(); err != nil {
		return err
	}
	if err := s.pad(); err != nil {
		return err
	}
	_, err = s.take(check)
	return err
}

// chunks skips LZMA2 data: 0 ends it, 1 and 2 mean plain bytes, and all from 0x80 on packed ones,
// which from 0xc0 on have a byte of properties before them.
func (s *xzScanner) chunks() error {
	for {
		b, err := s.take(1)
		if err != nil {
			return err
		}
		control, n, sizeAt, head := b[0], 0, 0, 2
		switch {
		case control == 0:
			return nil
		case control >= 0xc0:
			n, sizeAt, head = 1, 2, 4
		case control >= 0x80:
			sizeAt, head = 2, 4
		case control > 2:
			return streamError("xz: no LZMA2 chunk")
		}
		if b, err = s.take(head); err != nil {
			return err
		}
		if _, err := s.take(n + int(binary.BigEndian.Uint16(b[sizeAt:])) + 1); err != nil {
			return err
		}
	}
}

// index skips the index (section 4), whose first byte is read, and the footer.
func (s *xzScanner) index() (int, error) {
	rest := s.data[s.at:]
	count, rest, err := vli(rest)
	if err != nil {
		return 0, err
	}
	if count > uint64(len(rest)) {
		return 0, errXZCut
	}
	for range 2 * count {
		if _, rest, err = vli(rest); err != nil {
			return 0, err
		}
	}
	s.at = len(s.data) - len(rest)
	if err := s.pad(); err != nil {
		return 0, err
	}
	_, err = s.take(4 + xzHeader) // CRC32 and footer
	return s.at, err
}

// vli reads a multibyte integer (section 1.2): 7 bits a byte, at most 9 bytes.
func vli(b []byte) (v uint64, rest []byte, err error) {
	for i := 0; i < 9 && i < len(b); i++ {
		v |= uint64(b[i]&0x7f) << (7 * i)
		if b[i] < 0x80 {
			return v, b[i+1:], nil
		}
	}
	return 0, nil, errXZCut
}
