package blockdev

import (
	"io"
	"os"
	"unsafe"
)

// Direct is a device that is open with O_DIRECT: it is read without the page cache, which does not
// know what the kernel's raids and lvm2 write past it.
type Direct struct{ *os.File }

// ReadAt implements io.ReaderAt: offset, length and memory of a read past the cache are multiples
// of the sector's size (open(2), O_DIRECT), which is at most 4096 bytes.
func (d Direct) ReadAt(b []byte, off int64) (int, error) {
	const align = 4096
	skip := int(off % align)
	size := (skip + len(b) + align - 1) / align * align
	buf := make([]byte, size+align)
	buf = buf[align-int(uintptr(unsafe.Pointer(&buf[0]))%align):][:size]
	n, err := d.File.ReadAt(buf, off-int64(skip))
	n = copy(b, buf[min(skip, n):n])
	if n == len(b) {
		return n, nil
	}
	if err == nil {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}
