package archive

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// zstdLength returns the length and the window of the frame that data begins with (RFC 8878 section
// 3.1.1); the kernel unpacks one.
func zstdLength(data []byte) (n int, window int64, err error) {
	var h zstd.Header
	if err := h.Decode(data); err != nil || h.Skippable {
		return 0, 0, streamError("zstd: no frame header")
	}
	size := h.WindowSize
	if h.SingleSegment { // section 3.1.1.1.1.2: the window is the content
		size = h.FrameContentSize
	}
	if size > maxZstdWindow {
		return 0, 0, streamError(fmt.Sprintf("zstd: a window of %d bytes, and the kernel takes %d", size, maxZstdWindow))
	}
	at := h.HeaderSize
	for last := false; !last; {
		if len(data)-at < 3 {
			return 0, 0, streamError("zstd: cut off")
		}
		// Section 3.1.1.2: Last_Block, Block_Type, Block_Size; a block of type RLE has one
		// byte.
		word := uint32(data[at]) | uint32(data[at+1])<<8 | uint32(data[at+2])<<16
		at += 3
		last = word&1 != 0
		size := int(word >> 3)
		if word>>1&3 == 1 {
			size = 1
		}
		if size > len(data)-at {
			return 0, 0, streamError("zstd: cut off")
		}
		at += size
	}
	if h.HasCheckSum {
		at += 4
	}
	if at > len(data) {
		return 0, 0, streamError("zstd: cut off")
	}
	return at, int64(size), nil
}

// lz4 has a magic number and then blocks, each behind its length; kernels are built for this, the
// "legacy" format.
const (
	lz4Magic = 0x184C2102
	lz4Block = 8 << 20 // unpacked (lib/decompress_unlz4.c: LZ4_DEFAULT_UNCOMPRESSED_CHUNK_SIZE)
)

// lz4Length returns the length of the stream that data begins with, and the memory of a block. It
// has no end mark: it ends where no length of a block stands.
func lz4Length(data []byte) (n int, window int64, err error) {
	if len(data) < 4 || binary.LittleEndian.Uint32(data) != lz4Magic {
		return 0, 0, streamError("lz4: not the legacy format, which the kernel requires: pack it with lz4 -l")
	}
	at := 4
	for len(data)-at >= 4 {
		n := binary.LittleEndian.Uint32(data[at:])
		switch {
		case n == lz4Magic:
			at += 4
			continue
		case n == 0 || int64(n) > int64(lz4.CompressBlockBound(lz4Block)):
			return at, lz4Block, nil
		case int64(n) > int64(len(data)-at-4):
			return 0, 0, streamError("lz4: cut off")
		}
		at += 4 + int(n)
	}
	return at, lz4Block, nil
}

// lz4Reader unpacks block by block.
type lz4Reader struct {
	in   io.Reader
	out  []byte // the block that is unpacked
	left []byte // what is not read of it yet
}

func newLZ4(in io.Reader) *lz4Reader { return &lz4Reader{in: in} }

func (z *lz4Reader) Read(p []byte) (int, error) {
	for len(z.left) == 0 {
		if err := z.block(); err != nil {
			return 0, err
		}
	}
	n := copy(p, z.left)
	z.left = z.left[n:]
	return n, nil
}

func (z *lz4Reader) block() error {
	var head [4]byte
	if _, err := io.ReadFull(z.in, head[:]); err != nil {
		return io.EOF // at most 3 bytes are left, which are padding
	}
	n := binary.LittleEndian.Uint32(head[:])
	if n == lz4Magic {
		return nil
	}
	var packed bytes.Buffer
	if _, err := io.CopyN(&packed, z.in, int64(n)); err != nil {
		return streamError("lz4: cut off")
	}
	if z.out == nil {
		z.out = make([]byte, lz4Block)
	}
	got, err := lz4.UncompressBlock(packed.Bytes(), z.out)
	if err != nil {
		return fmt.Errorf("lz4: %w", err)
	}
	z.left = z.out[:got]
	return nil
}
