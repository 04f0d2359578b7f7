// Package archive reads an initramfs image as the kernel does (init/initramfs.c): one or more
// segments, each a cpio archive in the format newc, as it is or compressed, with zero bytes between
// them. What a later segment holds replaces what an earlier one does.
//
// Images come from anywhere, so everything is checked against Limits before memory is asked for.
package archive

import (
	"errors"
	"fmt"
)

// Compression is how a segment is packed, by the name of the tool that unpacks it.
type Compression string

// The kernel's formats (lib/decompress.c: compressed_formats).
const (
	None  Compression = "none"
	Gzip  Compression = "gzip"
	Bzip2 Compression = "bzip2"
	LZMA  Compression = "lzma"
	XZ    Compression = "xz"
	LZO   Compression = "lzo"
	LZ4   Compression = "lz4"
	Zstd  Compression = "zstd"
)

// ErrFormat is wrapped by the errors about an image that is damaged or something else.
var ErrFormat = errors.New("no initramfs")

// Segment is one part of an image.
type Segment struct {
	Offset      int64 // in the image, in bytes
	Length      int64 // in bytes, without the padding behind it
	Compression Compression
	Unpacked    int64 // bytes of cpio
	Entries     int
}

// Entry is one entry of a cpio archive; the fields are those of its header, as in struct stat.
type Entry struct {
	Name           string // as it stands there: it may be absolute, or lead through ".." and links
	Mode           uint32 // type and permissions
	Ino            uint32
	UID, GID       uint32
	NLink          uint32
	MTime          uint32 // seconds since 1970
	Size           int64  // bytes
	Major, Minor   uint32 // of the file system it was taken from
	RMajor, RMinor uint32 // of a device
	Segment        int    // index of the segment it stands in
	Summed         bool   // it is of the format with checksums, 070702
	Sum            uint32 // of the bytes of a regular file
	Odd            string // why the kernel skips it; empty if it does not

	trailers int // archives that have ended before it
	number   int // of the entry in the image, from 1
}

// Types in Entry.Mode (include/uapi/linux/stat.h).
const (
	TypeMask    = 0o170000
	TypeSocket  = 0o140000
	TypeSymlink = 0o120000
	TypeRegular = 0o100000
	TypeBlock   = 0o060000
	TypeDir     = 0o040000
	TypeChar    = 0o020000
	TypeFIFO    = 0o010000
)

// Type returns the bits of Mode with the type of file.
func (e Entry) Type() uint32 { return e.Mode & TypeMask }

func badf(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrFormat, fmt.Sprintf(format, args...))
}
