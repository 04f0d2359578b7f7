package blockdev

import (
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"unicode/utf16"
)

// headSize covers every superblock that is near the start: the last of them, btrfs, ends at 68 KiB.
// One read of that much is cheaper than one for each over a network.
const headSize = 68 << 10

// image is a device with its head in memory.
type image struct {
	r    io.ReaderAt
	size int64
	head []byte
	err  error // the first error that reading gave
}

// openImage reads the head. size is the device's, in bytes.
func openImage(r io.ReaderAt, size int64) *image {
	d := &image{r: r, size: size}
	d.head = d.read(0, min(size, headSize))
	return d
}

// at returns n bytes from off, nil where the device has not as many.
func (d *image) at(off, n int64) []byte {
	switch {
	case off < 0 || n < 0 || off > d.size-n:
		return nil
	case off+n <= int64(len(d.head)):
		return d.head[off : off+n]
	}
	return d.read(off, n)
}

func (d *image) read(off, n int64) []byte {
	b := make([]byte, n)
	if got, err := d.r.ReadAt(b, off); int64(got) < n {
		if d.err == nil && !errors.Is(err, io.EOF) {
			d.err = err
		}
		return nil
	}
	return b
}

// uuid writes 16 bytes in the usual groups; all zero means none.
func uuid(b []byte) string {
	if allZero(b) {
		return ""
	}
	h := hex.EncodeToString(b)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// text reads a string of at most len(b) bytes that ends at a NUL, without the blanks that pad it.
func text(b []byte) string {
	s, _, _ := strings.Cut(string(b), "\x00")
	return strings.TrimRight(s, " ")
}

// text16 is text in UTF-16. The function reads one unit.
func text16(b []byte, unit func([]byte) uint16) string {
	var units []uint16
	for ; len(b) >= 2; b = b[2:] {
		u := unit(b)
		if u == 0 {
			break
		}
		units = append(units, u)
	}
	return strings.TrimRight(string(utf16.Decode(units)), " ")
}
