package archive

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// head is what a test sets of an entry.
type head struct {
	ino, uid, mtime int
	sum             int // negative: the format without checksums
}

// entry writes an entry of everything.
func entry(name string, mode, nlink int, data string, h head) string {
	magic, sum := "070701", 0
	if h.sum >= 0 {
		magic, sum = "070702", h.sum
	}
	e := magic + strings.Join([]string{
		hex(h.ino), hex(mode), hex(h.uid), hex(0), hex(nlink), hex(h.mtime), hex(len(data)), hex(0), hex(0), hex(5), hex(1), hex(len(name) + 1), hex(sum),
	}, "") + name + "\x00"
	e += strings.Repeat("\x00", -len(e)&3)
	return e + data + strings.Repeat("\x00", -len(data)&3)
}

// numbered is a file of a group of hard links.
func numbered(name string, ino int, data string) string {
	return entry(name, 0o100644, 2, data, head{ino: ino, sum: -1})
}

// show writes a tree as lines "NAME TYPE-AND-MODE CONTENT", and what is odd.
func show(t *Tree) string {
	var b strings.Builder
	t.All(func(n *Node) bool {
		fmt.Fprintf(&b, "%s %o %s\n", n.Name, n.Mode, n.Data())
		return true
	})
	for _, o := range t.Odd {
		word := "odd"
		if o.Lost {
			word = "lost"
		}
		fmt.Fprintf(&b, "%s %d %.20s: %s\n", word, o.Entry, o.Name, o.Why)
	}
	return b.String()
}

// Each case is what init/initramfs.c makes of these bytes.
func TestAsTheKernel(t *testing.T) {
	file := func(name, text string) string { return record(name, 0o100644, 1, text) }
	dir := func(name string) string { return record(name, 0o040755, 2, "") }
	link := func(name, to string) string { return record(name, 0o120777, 1, to) }
	long := strings.Repeat("x", 256)
	for _, c := range []struct{ name, image, want string }{
		{"a later file over an earlier", file("a", "old text") + file("a", "new"), "a 100644 new\n"},
		{"with all its names", numbered("a", 5, "") + numbered("b", 5, "old") + record("b", 0o100600, 1, "new"), "a 100600 new\nb 100600 new\n"},
		{"a file over a link", link("a", "b") + file("a", "x"), "a 100644 x\n"},
		{"a file over an empty directory", dir("a") + file("a", "x"), "a 100644 x\nodd 2 a: it takes away a directory of this name\n"},
		{"a file over a full directory", dir("a") + dir("a/b") + file("a", "x"), "a 40755 \na/b 40755 \nlost 3 a: a directory is there, and not empty\n"},
		{"a directory over a file", file("a", "x") + dir("a"), "a 40755 \n"},
		{"a directory over a link", dir("b") + link("a", "b") + dir("a"), "a 40755 \nb 40755 \n"},
		{"a directory twice", dir("a") + file("a/x", "") + record("a", 0o040700, 2, ""), "a 40700 \na/x 100644 \n"},
		{"a link over a file", file("a", "x") + link("a", "b"), "a 120777 b\n"},
		{"a link over a full directory", dir("a") + dir("a/b") + link("a", "b"), "a 40755 \na/b 40755 \nlost 3 a: a directory is there, and not empty\n"},
		{"hard links, content last", numbered("a", 5, "") + numbered("b", 5, "text"), "a 100644 text\nb 100644 text\n"},
		{"hard links, content first", numbered("a", 5, "text") + numbered("b", 5, ""), "a 100644 text\nb 100644 text\n"},
		{"hard links, content twice", numbered("a", 5, "long text") + numbered("b", 5, "short"), "a 100644 short\nb 100644 short\n"},
		{"a hard link to itself", numbered("a", 5, "text") + numbered("a", 5, ""), "lost 2 a: a hard link to \"a\", which is not there any more\n"},
		{
			"a hard link to what took the place", numbered("a", 5, "text") + file("a", "new") + numbered("b", 5, ""),
			"a 100644 new\nb 100644 new\n",
		},
		{"hard links of other types", numbered("a", 5, "x") + entry("b", 0o010644, 2, "", head{ino: 5, sum: -1}), "a 100644 x\nb 10644 \n"},
		{"hard links of other modes", numbered("a", 5, "x") + entry("b", 0o100600, 2, "", head{ino: 5, sum: -1}), "a 100600 x\nb 100600 x\n"},
		{
			"hard links behind a trailer", numbered("a", 5, "x") + record(end, 0, 0, "") + numbered("b", 5, ""),
			"a 100644 x\nb 100644 \n",
		},
		{"a directory without its parent", dir("a/b"), "lost 1 a/b: its directory is missing\n"},
		{"a file without its parent", file("a/b", "x"), "lost 1 a/b: its directory is missing\n"},
		{"a file below a file", file("a", "x") + file("a/b", "x"), "a 100644 x\nlost 2 a/b: what leads to it is not a directory\n"},
		{"a slash behind a directory", dir("a/"), "a 40755 \n"},
		{"a slash behind a file", file("a/", "x"), "odd 1 a/: a name with a slash behind it, and no directory\nlost 1 a/: its directory is missing\n"},
		{"a slash behind a link to a directory", dir("a") + link("l", "a") + record("l/", 0o040700, 2, ""), "a 40700 \nl 120777 a\n"},
		{"an absolute name", file("/a", "x"), "a 100644 x\nodd 1 /a: a name with a slash before it, which is a name below the root\n"},
		{"above the root", file("../../a", "x"), "a 100644 x\nodd 1 ../../a: a name with .. in it, which cannot lead above the root\n"},
		{
			"back through a directory that is missing", file("no/../a", "x"),
			"odd 1 no/../a: a name with .. in it, which cannot lead above the root\nlost 1 no/../a: its directory is missing\n",
		},
		{
			"back through a link", dir("a") + dir("a/b") + link("l", "a/b") + file("l/../x", "x"),
			"a 40755 \na/b 40755 \na/x 100644 x\nl 120777 a/b\nodd 4 l/../x: a name with .. in it, which cannot lead above the root\n",
		},
		{"through a link", dir("a") + link("l", "/a") + file("l/x", "x"), "a 40755 \na/x 100644 x\nl 120777 /a\n"},
		{"dots and slashes", dir("./a") + file(".//a/./b", "x"), "a 40755 \na/b 100644 x\n"},
		{"a part of 256 bytes", file(long, "x"), "lost 1 " + long[:20] + ": a part of its name has more than 255 bytes\n"},
		{"an empty name", file("", "x"), "lost 1 : it has no name\n"},
		{"no type", file("a", "x") + record("a", 0, 1, ""), "odd 2 a: it takes away a file of this name\nlost 2 a: its mode 0 has no type\n"},
		{"no type, with content", file("a", "x") + record("a", 0o644, 1, "y"), "a 100644 x\nlost 2 a: it has content, and is not a regular file\n"},
		{"a directory with content", record("a", 0o040755, 2, "x"), "lost 1 a: it has content, and is not a regular file\n"},
		{"a device over a device", record("a", 0o020600, 1, "") + record("a", 0o020644, 1, ""), "a 20644 \n"},
		{"a FIFO, a socket and devices", record("f", 0o010600, 1, "") + record("s", 0o140600, 1, "") + record("b", 0o060600, 1, ""), "b 60600 \nf 10600 \ns 140600 \n"},
		{"a trailer that is a link", link(end, "a") + file("b", ""), end + " 120777 a\nb 100644 \n"},
		{"no trailer, zeros between entries", file("a", "x") + strings.Repeat("\x00", 512) + file("b", "y"), "a 100644 x\nb 100644 y\n"},
		{"a target with a NUL", link("a", "b\x00c"), "a 120777 b\n"},
		{"a target of 4095 bytes", link("a", strings.Repeat("t", 4095)), "a 120777 " + strings.Repeat("t", 4095) + "\n"},
		{"a target of 4096 bytes", link("a", strings.Repeat("t", 4096)), "lost 1 a: its target has 4096 bytes\n"},
		{"a target of 5000 bytes", link("a", strings.Repeat("t", 5000)) + file("b", ""), "b 100644 \nlost 1 a: its target has 5000 bytes\n"},
		{"a name of 4097 bytes", file(strings.Repeat("n", 4096), "x") + file("b", ""), "b 100644 \nlost 1 : its name has 4097 bytes\n"},
		{"a checksum", entry("a", 0o100644, 1, "ab", head{sum: 'a' + 'b'}), "a 100644 ab\n"},
		{"a link in a circle", link("l", "l") + file("l/x", ""), "l 120777 l\nlost 2 l/x: too many symbolic links\n"},
	} {
		if diff := cmp.Diff(c.want, show(read(t, c.image+record(end, 0, 0, "")))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
		other, err := Index([]byte(c.image+record(end, 0, 0, "")), DefaultLimits)
		if err != nil {
			t.Fatal(err)
		}
		settled := other.Settle(func() {
			other.All(func(n *Node) bool { _, _ = other.Content(n); return true })
		})
		if diff := cmp.Diff(c.want, show(other)); settled != nil || diff != "" {
			t.Errorf("%s, by its index (-want +got): %v\n%s", c.name, settled, diff)
		}
	}
}

func TestOwnersAndTimes(t *testing.T) {
	at := func(mtime, uid int) head { return head{mtime: mtime, uid: uid, sum: -1} }
	tree := read(t, entry("d", 0o040755, 2, "", at(1, 1))+entry("d", 0o040700, 2, "", at(2, 2))+
		entry("f", 0o100644, 1, "", at(3, 3))+entry("f", 0o100644, 1, "", at(4, 4))+entry(".", 0o040711, 2, "", at(5, 5))+record(end, 0, 0, ""))
	for name, want := range map[string][2]uint32{"d": {1, 2}, "f": {4, 4}, ".": {5, 5}} { // dir_utime sets the first time last
		if n, ok := tree.Lookup(name); !ok || n.MTime != want[0] || n.UID != want[1] {
			t.Errorf("%s: time %d, owner %d, want %v", name, n.MTime, n.UID, want)
		}
	}
	if n, _ := tree.Lookup("."); !tree.RootSet || n.Mode != TypeDir|0o711 {
		t.Errorf("the root: %v, %o", tree.RootSet, n.Mode)
	}
}

// A wrong sum, and a segment at a place that is no multiple of 4 behind an archive, end the
// unpacking.
func TestKernelStops(t *testing.T) {
	for name, image := range map[string]string{
		"checksum": entry("a", 0o100644, 1, "ab", head{sum: 1}), "place": early("a") + "\x00" + string(load(t, "gzip")),
	} {
		for _, read := range []func([]byte, Limits) (*Tree, error){Read, Index} {
			if _, err := read([]byte(image), DefaultLimits); !errors.Is(err, ErrFormat) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
