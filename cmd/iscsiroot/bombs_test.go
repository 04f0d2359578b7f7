package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"
)

// newcHead is an entry without its content.
func newcHead(name string, mode, size int) string {
	h := fmt.Sprintf("070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00", 7, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, len(name)+1, 0, name)
	return h + strings.Repeat("\x00", -len(h)&3)
}

// newcEnd ends an archive.
var newcEnd = newcHead("TRAILER!!!", 0, 0)

// bomb makes a file of the stage.
func (s stage) bomb(name string, write func(w io.Writer) error) {
	s.t.Helper()
	f, err := os.Create(s.path(name))
	if err != nil {
		s.t.Fatal(err)
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	if err := write(w); err != nil {
		s.t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		s.t.Fatal(err)
	}
}

// zeros is an archive with one file of n zero bytes, n being a multiple of 4.
func zeros(w io.Writer, n int64) error {
	if _, err := io.WriteString(w, newcHead("zeros", 0o100644, int(n))); err != nil {
		return err
	}
	if _, err := io.CopyN(w, zeroReader{}, n); err != nil {
		return err
	}
	_, err := io.WriteString(w, newcEnd)
	return err
}

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// through packs what write writes.
func through(z io.WriteCloser, err error, write func(io.Writer) error) error {
	if err != nil {
		return err
	}
	if err := write(z); err != nil {
		return err
	}
	return z.Close()
}

// zeroFile is a file of zero bytes, whose size is a multiple of 4.
type zeroFile struct {
	name string
	size int64
}

// zstdBlock is the largest block of zstd, in bytes (RFC 8878 section 3.1.1.2.4).
const zstdBlock = 128 << 10

// zstdZeros is an archive of files, and of the directories above each, in 4 bytes for each 128 KiB:
// blocks of type RLE (RFC 8878 section 3.1.1.2.2).
func zstdZeros(w io.Writer, files ...zeroFile) error {
	var b bytes.Buffer
	b.WriteString("\x28\xb5\x2f\xfd\x00\x58") // a window of 2 MiB, no sizes
	block := func(n int64, kind int, data string, last int) {
		h := int(n)<<3 | kind<<1 | last
		b.Write([]byte{byte(h), byte(h >> 8), byte(h >> 16)})
		b.WriteString(data)
	}
	for _, f := range files {
		head := ""
		for i, c := range f.name {
			if c == '/' {
				head += newcHead(f.name[:i], 0o040755, 0)
			}
		}
		head += newcHead(f.name, 0o100644, int(f.size))
		block(int64(len(head)), 0, head, 0)
		for left := f.size; left > 0; left -= zstdBlock {
			block(min(left, zstdBlock), 1, "\x00", 0)
		}
	}
	block(int64(len(newcEnd)), 0, newcEnd, 1)
	_, err := w.Write(b.Bytes())
	return err
}

// zstdAfter is a text with size zero bytes after it, a multiple of 128 KiB, packed as by zstdZeros.
func zstdAfter(text string, size int64) string {
	var b strings.Builder
	b.WriteString("\x28\xb5\x2f\xfd\x00\x58")
	block := func(n int64, kind int, data string, last int) {
		h := int(n)<<3 | kind<<1 | last
		b.WriteString(string([]byte{byte(h), byte(h >> 8), byte(h >> 16)}) + data)
	}
	block(int64(len(text)), 0, text, 0)
	for range size / zstdBlock {
		block(zstdBlock, 1, "\x00", 0)
	}
	block(0, 0, "", 1)
	return b.String()
}

// bombTree is a tree of modules and firmware of 250 MB, and a smaller one: they are what they are
// taken for, with zero bytes after it. It returns the options that build from it.
func (s stage) bombTree(moduleBytes, firmwareBytes int64) string {
	root := fmt.Sprintf("bombs-%d-%d", moduleBytes, firmwareBytes)
	dir := root + "/lib/modules/" + release + "/"
	s.write(dir+"modules.dep", "sd_mod.ko.zst:\niscsi_tcp.ko.zst:\next4.ko.zst:\nvirtio_net.ko.zst:\n")
	s.write(dir+"sd_mod.ko.zst", zstdAfter(module("sd_mod"), moduleBytes))
	s.write(dir+"iscsi_tcp.ko.zst", zstdAfter(module("iscsi_tcp"), moduleBytes))
	s.write(dir+"ext4.ko.zst", zstdAfter(module("ext4"), 0))
	s.write(dir+"virtio_net.ko.zst", zstdAfter(module("virtio_net", "firmware=a.bin", "firmware=b.bin"), 0))
	for _, name := range []string{"a.bin.zst", "b.bin.zst"} {
		s.write(root+"/lib/firmware/"+name, zstdAfter("firmware", firmwareBytes))
	}
	return "build --root ~/" + root + " --kernel-version " + release + " --init ~/init --nic virtio_net --fs ext4 -o ~/out.img"
}

// lz4Zeros is zeros in n blocks of 8 MiB, in the kernel's legacy format.
func lz4Zeros(w io.Writer, n int) error {
	const size = 8 << 20
	out := bytes.NewBufferString("\x02\x21\x4c\x18")
	block := func(data []byte) error {
		packed := make([]byte, lz4.CompressBlockBound(size))
		k, err := lz4.CompressBlock(data, packed, nil)
		if err != nil {
			return err
		}
		_ = binary.Write(out, binary.LittleEndian, uint32(k)) // a buffer takes all
		out.Write(packed[:k])
		return nil
	}
	data := make([]byte, size)
	copy(data, newcHead("zeros", 0o100644, n*size))
	if err := block(data); err != nil {
		return err
	}
	clear(data)
	one := out.Len()
	if err := block(data); err != nil {
		return err
	}
	again := bytes.Clone(out.Bytes()[one:])
	for range n - 1 {
		out.Write(again)
	}
	_, err := w.Write(out.Bytes())
	return err
}

// entries is an archive of n entries of a kind.
func entries(w io.Writer, n int, entry func(i int) string) error {
	for i := range n {
		if _, err := io.WriteString(w, entry(i)); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, newcEnd)
	return err
}

// bombs makes images that take far more than they are.
func (s stage) bombs() {
	const mib = 1 << 20
	packed := func(write func(io.Writer) error) func(io.Writer) error {
		return func(w io.Writer) error {
			z, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
			return through(z, err, write)
		}
	}
	many := func(n int, entry func(int) string) func(io.Writer) error {
		return packed(func(w io.Writer) error { return entries(w, n, entry) })
	}
	files := func(files ...zeroFile) func(io.Writer) error {
		return func(w io.Writer) error { return zstdZeros(w, files...) }
	}
	deep := strings.Repeat("a/", 2000)
	target := strings.Repeat("t", 4000)
	for name, write := range map[string]func(io.Writer) error{
		"zstd":    files(zeroFile{"zeros", 420 * mib}),
		"zstd-5g": files(zeroFile{"zeros", 2560 * mib}, zeroFile{"zeros", 2560 * mib}),
		"gzip": func(w io.Writer) error {
			z, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
			return through(z, err, func(w io.Writer) error { return zeros(w, 420*mib) })
		},
		"lz4":         func(w io.Writer) error { return lz4Zeros(w, 52) },
		"xz-window":   xzWindow,
		"lzma-window": lzmaWindow,
		"zstd-window": func(w io.Writer) error {
			_, err := io.WriteString(w, "\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00")
			return err
		},
		"zstd-content": func(w io.Writer) error {
			_, err := io.WriteString(w, "\x28\xb5\x2f\xfd\xa0\x00\x00\x00\xf0\x01\x00\x00")
			return err
		},
		"names":      many(263000, func(i int) string { return newcHead(fmt.Sprint(i), 0o100644, 0) }),
		"long-names": many(10000, func(int) string { return newcHead(deep+"a", 0o100644, 0) }),
		"ways": many(11000, func(i int) string {
			if i < 2000 {
				return newcHead(deep[:2*i+1], 0o040755, 0)
			}
			return newcHead(fmt.Sprintf("%s%d", deep, i), 0o100644, 0)
		}),
		"links": many(66000, func(i int) string {
			return newcHead(fmt.Sprint(i), 0o120777, len(target)) + target
		}),
		"circles": many(1000, func(i int) string {
			if i == 0 {
				return newcHead("l", 0o120777, 4000) + strings.Repeat("./", 1999) + "l\x00"
			}
			return newcHead("l/x", 0o100644, 0)
		}),
		"odd":         many(50000, func(int) string { return newcHead("none/"+deep[:250]+"x", 0o100644, 0) }),
		"init":        files(zeroFile{"init", 240 * mib}),
		"policy":      files(zeroFile{"etc/iscsiroot/policy", 240 * mib}),
		"credentials": files(zeroFile{"etc/iscsiroot/credentials", 240 * mib}),
		"index":       files(zeroFile{"lib/modules/1/modules.dep", 240 * mib}),
		"module":      files(zeroFile{"lib/modules/1/a.ko", 120 * mib}, zeroFile{"lib/modules/1/b.ko", 120 * mib}),
		"packed":      packedModules,
		"many-files":  files(slices.Repeat([]zeroFile{{"zeros", 64 << 10}}, 8000)...),
	} {
		s.bomb(name, write)
	}
}

// packedModules is an archive of modules that unpack to more than their index may.
func packedModules(w io.Writer) error {
	var module bytes.Buffer
	if err := zstdZeros(&module, zeroFile{"zeros", 512 << 20}); err != nil {
		return err
	}
	text := module.String() + strings.Repeat("\x00", -module.Len()&3)
	return entries(w, 5, func(i int) string {
		if i < 3 {
			return newcHead([]string{"lib", "lib/modules", "lib/modules/1"}[i], 0o040755, 0)
		}
		return newcHead(fmt.Sprintf("lib/modules/1/%d.ko.zst", i), 0o100644, len(text)) + text
	})
}

// xzWindow begins a stream of xz with a dictionary of 1 GiB.
func xzWindow(w io.Writer) error {
	var b bytes.Buffer
	z, err := xz.WriterConfig{DictCap: 1 << 16, CheckSum: xz.CRC32}.NewWriter(&b)
	if err != nil {
		return err
	}
	if err := zeros(z, 4); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	data := b.Bytes()
	i := bytes.Index(data, []byte{0x21, 0x01}) // the filter LZMA2 and the size of its properties
	data[i+2] = 36                             // 2 << (36/2 + 11) bytes (.xz file format, section 5.3.1)
	_, err = w.Write(data)
	return err
}

// lzmaWindow is an archive with a dictionary of 1 GiB.
func lzmaWindow(w io.Writer) error {
	var b bytes.Buffer
	z, err := lzma.WriterConfig{DictCap: 1 << 16}.NewWriter(&b)
	if err := through(z, err, func(w io.Writer) error { return zeros(w, 4) }); err != nil {
		return err
	}
	data := b.Bytes()
	binary.LittleEndian.PutUint32(data[1:], 1<<30)
	_, err = w.Write(data)
	return err
}

// TestBombsAreSmall checks the sizes of the input in the table of TestHostileInput.
func TestBombsAreSmall(t *testing.T) {
	s := newStage(t)
	s.bomb("zstd", func(w io.Writer) error { return zstdZeros(w, zeroFile{"zeros", 1 << 20}) })
	s.bomb("lz4", func(w io.Writer) error { return lz4Zeros(w, 2) })
	for name, want := range map[string]string{"zstd": "1048576", "lz4": "16777216"} {
		status, out, errs := s.run("ls", "-l", "~/"+name)
		if status != 0 || !strings.Contains(out, want) {
			t.Errorf("%s: %d, %s%s", name, status, out, errs)
		}
	}
}
