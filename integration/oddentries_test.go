package integration

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
	"github.com/iscsiroot/iscsiroot/pkg/initramfs/archive"
	"github.com/iscsiroot/iscsiroot/pkg/lab"
)

// cpioWriter writes an archive of the format newc as nothing but a test would.
type cpioWriter struct {
	strings.Builder
	entries int
}

// put writes an entry; entries with the same ino are links to one file if links is above 1.
func (w *cpioWriter) put(name string, mode, ino, links int, data string) {
	w.entries++
	fmt.Fprintf(w, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00", ino, mode, w.entries, 2*w.entries, links,
		1e9+w.entries, len(data), 0, 0, 5, w.entries%256, len(name)+1, 0, name)
	w.WriteString(strings.Repeat("\x00", -w.Len()&3) + data)
	w.WriteString(strings.Repeat("\x00", -w.Len()&3))
}

func (w *cpioWriter) dir(name string)             { w.put(name, 0o040755, 0, 2, "") }
func (w *cpioWriter) file(name, data string)      { w.put(name, 0o100644, 0, 1, data) }
func (w *cpioWriter) symlink(name, to string)     { w.put(name, 0o120777, 0, 1, to) }
func (w *cpioWriter) end()                        { w.put("TRAILER!!!", 0, 0, 1, "") }
func (w *cpioWriter) named(n int, name, d string) { w.put(name, 0o100640, n, 2, d) }

// odd writes entries that the kernel ignores, or for which it makes something else than their name
// and type.
func (w *cpioWriter) odd() {
	w.dir("a")
	w.dir("a/b")
	w.dir("a/b/c")
	w.file("no/parent", "x")
	w.file("no/../back", "x")
	w.file("a/file", "long text")
	w.file("a/file", "short")
	w.file("a/file/below", "x")
	w.file("/absolute", "x")
	w.file("../../above", "x")
	w.symlink("link", "a/b")
	w.file("link/../through", "x")
	w.file("link/x", "x")
	w.symlink("to-file", "a/file")
	w.file("to-file", "through a link")
	w.symlink("circle", "circle")
	w.file("circle/x", "x")
	w.file("slash/", "x")
	w.dir("directory/")
	w.dir("empty")
	w.file("empty", "a file now")
	w.file("a/b", "a directory that is not empty")
	w.file("away", "x")
	w.put("away", 0, 0, 1, "")
	w.put("no-type", 0o644, 0, 1, "")
	w.put("with-content", 0o040755, 0, 2, "x")
	w.named(100, "one", "of one")
	w.named(100, "two", "")
	w.named(100, "a/three", "of three, which is longer")
	w.named(101, "gone", "x")
	w.put("gone", 0, 0, 1, "")
	w.named(101, "left", "y")
	w.put("fifo", 0o010600, 0, 1, "")
	w.put("socket", 0o140600, 0, 1, "")
	w.put("block", 0o060640, 0, 1, "")
	w.put("char", 0o020604, 0, 1, "")
	w.put("char", 0o020600, 0, 1, "")
	w.dir("a/b/c")
	w.file(strings.Repeat("n", 256), "x")
	w.file(strings.Repeat("n", 255), "x")
	w.symlink("long-target", strings.Repeat("t", 4095))
	w.symlink("longer-target", strings.Repeat("t", 4096))
	w.symlink("longest-target", strings.Repeat("t", 5000))
	w.file(strings.Repeat("./", 2100)+"x", "x")
	w.symlink("nul", "a\x00b")
	w.put("set", 0o107755, 0, 1, "x")
	w.file(".//a/./dots", "x")
	w.put(".", 0o040711, 0, 2, "")
	w.end()
	w.named(100, "another", "archive")
}

// What the tree of an image has, and so what ls shows and unpack writes, is what a kernel makes of
// it.
func TestOddEntries(t *testing.T) {
	r := newRig(t)
	guest, err := os.ReadFile(built.guest())
	if err != nil {
		t.Fatal(err)
	}
	var w cpioWriter
	w.odd()
	w.end()
	w.dir("dev")
	w.dir("etc")
	w.file("etc/guest", "rootfs")
	w.put("init", 0o100755, 0, 1, string(guest))
	w.end()
	path := filepath.Join(t.TempDir(), "initrd")
	if err := os.WriteFile(path, []byte(w.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	tree, err := initramfs.Open(path, archive.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	m := r.start(image{path: path}, lab.MachineConfig{Append: "console=ttyS0 quiet", NICs: []lab.NIC{{Tap: r.tap}}})
	r.waitOff(m)
	want := rootfsOf(t, tree)
	if len(want) < 25 {
		t.Errorf("%d names: the archive holds less than it seems to", len(want))
	}
	if diff := cmp.Diff(want, shownRootfs(m.Output())); diff != "" {
		t.Errorf("(-the tree +the kernel):\n%s", diff)
	}
}

// ownRootfs are what every kernel makes before it unpacks the image (usr/default_cpio_list).
func ownRootfs(name string) bool {
	return name == "/" || name == "/root" || name == "/dev" || strings.HasPrefix(name, "/dev/")
}

// rootfsOf has the lines that the guest prints for a tree.
func rootfsOf(t *testing.T, tree *archive.Tree) []string {
	t.Helper()
	links := map[any]int{}
	tree.All(func(n *archive.Node) bool { links[n.File()]++; return true })
	var lines []string
	err := tree.Settle(func() {
		lines = nil
		tree.All(func(n *archive.Node) bool {
			data, _ := tree.Content(n)
			count, major, minor := links[n.File()], uint32(0), uint32(0)
			switch n.Type() {
			case archive.TypeDir:
				count = 0
			case archive.TypeChar, archive.TypeBlock:
				major, minor = n.RMajor, n.RMinor
			}
			if name := "/" + n.Name; !ownRootfs(name) {
				lines = append(lines, fmt.Sprintf("%q %o %d %d %d %d %d:%d %.4x", name, n.Mode, count, n.UID, n.GID, n.MTime, major, minor, sha256.Sum256(data)))
			}
			return true
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(lines)
	return lines
}

// shownRootfs has those that it printed.
func shownRootfs(output string) []string {
	var lines []string
	for line := range strings.Lines(output) {
		_, text, ok := strings.Cut(strings.TrimSpace(line), "guest: rootfs: ")
		if !ok {
			continue
		}
		var name string
		if _, err := fmt.Sscanf(text, "%q", &name); err == nil && !ownRootfs(name) {
			lines = append(lines, text)
		}
	}
	slices.Sort(lines)
	return lines
}
