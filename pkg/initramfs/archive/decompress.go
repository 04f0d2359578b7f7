package archive

import (
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"
)

// magics are how segments begin (lib/decompress.c: compressed_formats).
var magics = []struct {
	magic string
	is    Compression
}{
	{"0", None},
	{"\x1f\x8b", Gzip},
	{"\x1f\x9e", Gzip},
	{"BZ", Bzip2},
	{"\x5d\x00", LZMA},
	{"\xfd7", XZ},
	{"\x89L", LZO},
	{"\x02\x21", LZ4},
	{"\x28\xb5", Zstd},
}

// detect returns the compression of a segment by its first bytes; empty if the kernel would not
// detect it.
func detect(data []byte) Compression {
	for _, m := range magics {
		if bytes.HasPrefix(data, []byte(m.magic)) {
			return m.is
		}
	}
	return ""
}

// stream is a segment being unpacked.
type stream struct {
	io.Reader
	consumed func() int // bytes of packed data, once Reader has ended
	close    func()
}

// decompress opens the segment that data begins with. The formats differ in how their end is found:
// some decoders stop exactly there, for others the length is computed first.
func decompress(c Compression, data []byte, left *budget) (*stream, error) {
	in := bytes.NewReader(data)
	used := func() int { return len(data) - in.Len() }
	s := &stream{consumed: used, close: func() {}}
	switch c {
	case Gzip:
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, fmt.Errorf("gzip: %w", err)
		}
		z.Multistream(false)
		s.Reader = z
		return s, nil
	case Bzip2:
		z := &bzip2Reader{r: bzip2.NewReader(in)}
		s.Reader = z
		s.consumed = func() int { return used() - z.ahead }
		return s, nil
	case LZMA:
		return s, s.lzma(in, data, left)
	case XZ:
		return sized(data, left, xzLength, func(in io.Reader) (io.Reader, func(), error) {
			z, err := xz.ReaderConfig{SingleStream: true}.NewReader(in)
			return z, func() {}, err
		})
	case LZ4:
		return sized(data, left, lz4Length, func(in io.Reader) (io.Reader, func(), error) {
			return newLZ4(in), func() {}, nil
		})
	case Zstd:
		return sized(data, left, zstdLength, func(in io.Reader) (io.Reader, func(), error) {
			z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxZstdWindow))
			if err != nil {
				return nil, nil, err
			}
			return z, z.Close, nil
		})
	}
	return nil, fmt.Errorf("packed with %s: %w", c, errors.ErrUnsupported)
}

// streamError describes an error in compressed data, of an image or of another file.
type streamError string

// Error names the compression first.
func (e streamError) Error() string { return string(e) }

// Is makes it an ErrFormat.
func (e streamError) Is(target error) bool { return target == ErrFormat }

// Unpack returns what data, one stream of a compression, unpacks to: at most limit bytes.
func Unpack(c Compression, data []byte, limit int64) ([]byte, error) {
	return UnpackIn(NewMemory(math.MaxInt64), c, data, limit)
}

// UnpackIn is [Unpack] with what it takes from m: its result stays taken, the rest is given back.
// What is longer than inOnePass is unpacked twice, first to find its size: so it is never in memory
// twice.
func UnpackIn(m *Memory, c Compression, data []byte, limit int64) (out []byte, err error) {
	var size int64
	err = unpacking(m, c, data, func(r io.Reader) error {
		out, err = readAll(io.LimitReader(r, inOnePass+1), min(limit, inOnePass)+1)
		if err != nil || int64(len(out)) <= min(limit, inOnePass) {
			return err
		}
		rest, err := io.Copy(io.Discard, io.LimitReader(r, limit+1))
		if size = int64(len(out)) + rest; err == nil && size > limit {
			err = fmt.Errorf("unpacked it has more than %d bytes", limit)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if size == 0 {
		return out, m.Take(int64(len(out)))
	}
	if err := m.Take(size); err != nil {
		return nil, fmt.Errorf("%s: %w", c, err)
	}
	err = unpacking(m, c, data, func(r io.Reader) error {
		out = make([]byte, size)
		_, err := io.ReadFull(r, out)
		return err
	})
	return out, err
}

// inOnePass is how much is unpacked into memory before its size is known, in bytes. Of Debian's
// modules, amdgpu and i915 alone are near to it.
const inOnePass = 16 << 20

// unpacking calls read with what data unpacks to.
func unpacking(m *Memory, c Compression, data []byte, read func(io.Reader) error) error {
	left := newBudget(DefaultLimits, DefaultLimits.Memory)
	z, err := decompress(c, data, left)
	if err != nil {
		return err
	}
	defer z.close()
	window := DefaultLimits.Memory - left.memory
	defer m.Give(window)
	if err := m.Take(window); err != nil {
		return fmt.Errorf("%s: %w", c, err)
	}
	if err := read(z); err != nil {
		return fmt.Errorf("%s: %w", c, err)
	}
	return nil
}

// readAll reads all of r, at most limit bytes. It allocates memory as the bytes come, and a copy at
// the end.
func readAll(r io.Reader, limit int64) ([]byte, error) {
	const chunk = 1 << 20
	var chunks [][]byte
	var all int64
	for {
		b := make([]byte, min(chunk, max(limit-all, 0)+1))
		n, err := io.ReadFull(r, b)
		chunks, all = append(chunks, b[:n]), all+int64(n)
		switch {
		case all > limit:
			return nil, fmt.Errorf("unpacked it has more than %d bytes", limit)
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
			return bytes.Join(chunks, nil), nil
		case err != nil:
			return nil, err
		}
	}
}

// maxZstdWindow is the largest window of the kernel's decoder, in bytes (lib/decompress_unzstd.c:
// ZSTD_WINDOWSIZE_MAX).
const maxZstdWindow = 128 << 20

// sized opens a segment whose length can be found without unpacking it, and whose window fits into
// the memory limit.
func sized(data []byte, left *budget, length func([]byte) (n int, window int64, err error), open func(io.Reader) (io.Reader, func(), error)) (*stream, error) {
	n, window, err := length(data)
	if err != nil {
		return nil, err
	}
	free, err := left.window(window)
	if err != nil {
		return nil, err
	}
	r, done, err := open(bytes.NewReader(data[:n]))
	if err != nil {
		free()
		return nil, err
	}
	return &stream{Reader: r, consumed: func() int { return n }, close: func() { done(); free() }}, nil
}

// lzma opens a segment in the format that LZMA had before xz: one byte of properties, the
// dictionary's size in 4 bytes and the unpacked size in 8, all ones if an end mark follows.
func (s *stream) lzma(in *bytes.Reader, data []byte, left *budget) error {
	if len(data) < lzma.HeaderLen {
		return streamError("lzma: cut off")
	}
	free, err := left.window(int64(binary.LittleEndian.Uint32(data[1:])))
	if err != nil {
		return err
	}
	z, err := lzma.NewReader(in)
	if err != nil {
		free()
		return fmt.Errorf("lzma: %w", err)
	}
	s.Reader, s.close = z, free
	return nil
}

// bzip2Reader ends with the first stream. The library looks for another one behind it, and has read
// two bytes then, or one at the end of the data.
type bzip2Reader struct {
	r     io.Reader
	ended bool
	ahead int
}

// bzip2Next is the library's error for data after a stream that is not bzip2's.
const bzip2Next = bzip2.StructuralError("bad magic value in continuation file")

func (z *bzip2Reader) Read(p []byte) (int, error) {
	if z.ended {
		return 0, io.EOF
	}
	n, err := z.r.Read(p)
	if err == error(bzip2Next) {
		z.ended, z.ahead = true, 2
		return n, io.EOF
	}
	return n, err
}
