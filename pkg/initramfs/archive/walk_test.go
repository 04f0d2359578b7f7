package archive

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// packed are the files of testdata that the tools of a Linux machine made of testdata/plain.cpio,
// which is busybox's.
var packed = []Compression{Gzip, Bzip2, LZMA, XZ, LZ4, Zstd}

// content is what plain.cpio holds.
var content = map[string]string{
	"dev": "", "dev/link": "../etc/hello", "dev/null": "", "etc": "", "etc/hard": "hello\n", "etc/hello": "hello\n",
	"etc/numbers": numbers(),
}

func numbers() string {
	data, err := os.ReadFile("testdata/plain.cpio")
	if err != nil {
		panic(err)
	}
	i := bytes.Index(data, []byte("1\n2\n"))
	j := bytes.Index(data, []byte("\n300\n"))
	return string(data[i : j+5])
}

func load(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// contents returns names and contents of a tree.
func contents(t *Tree) map[string]string {
	out := map[string]string{}
	for _, name := range t.Names() {
		n, _ := t.Lookup(name)
		out[name] = string(n.Data())
	}
	return out
}

// Each form is read alone, and as every part of an image of three segments with zero bytes between
// them.
func TestCompressions(t *testing.T) {
	plain := load(t, "plain.cpio")
	for _, c := range append(packed, None) {
		data := plain
		if c != None {
			data = load(t, string(c))
		}
		tree, err := Read(data, DefaultLimits)
		if err != nil {
			t.Errorf("%s: %v", c, err)
			continue
		}
		if diff := cmp.Diff(content, contents(tree)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c, diff)
		}
		first := []byte(early("first"))
		image := bytes.Join([][]byte{first, data, make([]byte, 512-(len(first)+len(data))%512), []byte(early("last"))}, nil)
		tree, err = Read(image, DefaultLimits)
		if err != nil || len(tree.Segments) != 3 {
			t.Errorf("%s among others: %+v, %v", c, tree.Segments, err)
			continue
		}
		s := tree.Segments[1]
		if s.Compression != c || s.Offset != int64(len(first)) || s.Entries != 7 || s.Unpacked < 2000 {
			t.Errorf("%s: %+v", c, s)
		}
		if c != None && s.Length != int64(len(data)) {
			t.Errorf("%s has %d bytes, was found to have %d", c, len(data), s.Length)
		}
		got := contents(tree)
		if got["first"] != "first" || got["last"] != "last" || got["etc/hello"] != "hello\n" {
			t.Errorf("%s among others: %q", c, got)
		}
	}
}

// early is an archive that holds one file.
func early(name string) string { return record(name, 0o100644, 1, name) + record(trailer, 0, 0, "") }

// record writes one entry.
func record(name string, mode, nlink int, data string) string {
	h := "070701" + strings.Join([]string{
		hex(7), hex(mode), hex(0), hex(0), hex(nlink), hex(0), hex(len(data)), hex(0), hex(0), hex(5), hex(1), hex(len(name) + 1), hex(0),
	}, "") + name + "\x00"
	h += strings.Repeat("\x00", -len(h)&3)
	return h + data + strings.Repeat("\x00", -len(data)&3)
}

func hex(v int) string {
	const digits = "0123456789abcdef"
	b := make([]byte, 8)
	for i := range b {
		b[7-i] = digits[v>>(4*i)&15]
	}
	return string(b)
}

// Of one compressed form, every cut and every flipped byte is an error or the whole content, and
// never a panic.
func TestDamage(t *testing.T) {
	for _, c := range packed {
		data := load(t, string(c))
		for i := 0; i < len(data); i += 7 {
			if tree, err := Read(data[:i], DefaultLimits); err == nil && len(contents(tree)) != len(content) {
				t.Errorf("%s: %d bytes are taken for a whole image of %d names", c, i, len(tree.Names()))
			}
			bent := bytes.Clone(data)
			bent[i] ^= 0x55
			_, _ = Read(bent, DefaultLimits)
		}
	}
}

func TestErrors(t *testing.T) {
	head := "070701" + strings.Repeat("0", 88)
	for _, c := range []struct{ name, image, want string }{
		{"empty", "", "no initramfs: it is empty"},
		{"zeros", "\x00\x00\x00\x00", "no initramfs: it is empty"},
		{"text", "hello", "segment 1 at byte 0: no initramfs: neither a cpio archive nor one that is compressed: it begins with 68 65 6c 6c 6f"},
		{"other cpio", "070707" + strings.Repeat("0", 104), "segment 1 at byte 0: no initramfs: no cpio header of the format newc at byte 0 of the archive"},
		{"short", "0707", "segment 1 at byte 0: no initramfs: cut off in a cpio header"},
		{"digit", "070701" + strings.Repeat("0", 16) + "0000000x" + strings.Repeat("0", 80), "segment 1 at byte 0: no initramfs: field 3 of the cpio header at byte 0 of the archive is not a number"},
		{"endless name", head + "00000002" + "00000000" + "ab", "segment 1 at byte 0: no initramfs: a name without an end"},
		{"cut name", head + "00000008" + "00000000" + "ab", "segment 1 at byte 0: no initramfs: cut off in a cpio header"},
		{"cut content", record("x", 0o100644, 1, "hello, world")[:120], `segment 1 at byte 0: no initramfs: cut off in the content of "x"`},
		{"unaligned", early("x") + "\x00" + early("y"), "segment 2 at byte 241: no initramfs: a cpio archive that does not begin at a multiple of 4 bytes"},
		{"lzo", "\x89LZO\x00", "segment 1 at byte 0: packed with lzo: unsupported operation"},
		{"BCJ", string(load(t, "xz-x86")), "segment 1 at byte 0: xz: a filter beside LZMA2, such as --x86, is not supported"},
		{"lz4 frame", string(load(t, "lz4-frame")), "segment 1 at byte 0: no initramfs: neither a cpio archive nor one that is compressed: it begins with 04 22 4d 18 64 40"},
	} {
		_, err := Read([]byte(c.image), DefaultLimits)
		if err == nil || err.Error() != c.want {
			t.Errorf("%s:\n got %v\nwant %s", c.name, err, c.want)
		}
	}
}

func TestLimits(t *testing.T) {
	for name, c := range map[string]struct {
		limits Limits
		want   string
	}{
		"bytes":   {Limits{Unpacked: 1000, Entries: 100, Memory: 1 << 30}, LimitUnpacked},
		"entries": {Limits{Unpacked: 1 << 20, Entries: 3, Memory: 1 << 30}, LimitEntries},
		"window":  {Limits{Unpacked: 1 << 20, Entries: 100, Memory: 2 << 10}, LimitMemory},
	} {
		for _, form := range packed {
			if name == "window" && (form == Gzip || form == Bzip2) {
				continue // the mode of these is given by the format
			}
			var limit *LimitError
			if _, err := Index(load(t, string(form)), c.limits); !errors.As(err, &limit) || limit.Limit != c.want {
				t.Errorf("%s, %s: %v", name, form, err)
			}
		}
	}
}

// What visit returns is what Walk returns, and the walk ends.
func TestVisitStops(t *testing.T) {
	stop := errors.New("stop")
	n := 0
	segs, err := walk(load(t, "gzip"), newBudget(DefaultLimits, DefaultLimits.Memory), func(Entry, io.Reader) error {
		if n++; n == 3 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) || n != 3 || len(segs) != 1 {
		t.Errorf("%d entries, %v, %v", n, segs, err)
	}
}
