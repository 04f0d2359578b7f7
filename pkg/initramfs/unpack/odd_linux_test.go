package unpack_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/u-root/u-root/pkg/cpio"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs/archive"
	"github.com/iscsiroot/iscsiroot/pkg/initramfs/unpack"
	"github.com/iscsiroot/iscsiroot/pkg/internal/newctest"
)

// What Into makes on disk is what the tree of the same image has: files written twice, links of
// every kind, FIFOs and sockets, and times of links.
func TestOddEntries(t *testing.T) {
	one, two, three := file("one", ""), file("two", "text"), file("three", "longer text")
	for _, r := range []*cpio.Record{&one, &two, &three} {
		r.Ino, r.NLink = 9, 2
	}
	old := cpio.Symlink("link", "two")
	old.MTime = 1e9
	first := newctest.Archive(t, one, two, cpio.Record{Info: cpio.Info{Name: "fifo", Mode: cpio.S_IFIFO | 0o640}},
		cpio.Record{Info: cpio.Info{Name: "socket", Mode: cpio.S_IFSOCK | 0o600}}, cpio.Symlink("empty", ""), old,
		file("no/parent", ""), dir("gone"), file("away", "x"), three)
	// Another archive, because the writer leaves out a name that it has written.
	image := append(first, newctest.Archive(t, file("gone", "a file now"), cpio.Record{Info: cpio.Info{Name: "away"}})...)
	for name, read := range map[string]func([]byte, archive.Limits) (*archive.Tree, error){"read": archive.Read, "index": archive.Index} {
		tree, err := read(image, archive.DefaultLimits)
		if err != nil {
			t.Fatal(err)
		}
		into := filepath.Join(t.TempDir(), "out")
		skipped, err := unpack.Into(t.Context(), tree, into)
		if err != nil || !slices.Equal(skipped, []string{"empty: a symbolic link without a target, which only the kernel can make"}) {
			t.Fatalf("%s: %q, %v", name, skipped, err)
		}
		want := map[string]string{
			"one": "longer text", "two": "longer text", "three": "longer text", "fifo": "p---------", "socket": "S---------", "link": "two", "gone": "a file now",
		}
		if diff := cmp.Diff(want, snapshot(t, into)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if st, err := os.Lstat(filepath.Join(into, "link")); err != nil || st.ModTime().Unix() != 1e9 {
			t.Errorf("%s: %v, %v", name, st, err)
		}
		if st, err := os.Lstat(filepath.Join(into, "fifo")); err != nil || st.Mode().Perm() != 0o640 {
			t.Errorf("%s: %v, %v", name, st, err)
		}
	}
}

// The root's own entry sets the mode of the directory; without one it stays.
func TestRoot(t *testing.T) {
	for _, c := range []struct {
		records []cpio.Record
		want    os.FileMode
	}{{[]cpio.Record{file("a", "")}, 0o755}, {[]cpio.Record{cpio.Directory(".", 0o711), file("a", "")}, 0o711}} {
		into := filepath.Join(t.TempDir(), "out")
		if _, err := unpack.Into(t.Context(), newctest.Tree(t, newctest.Archive(t, c.records...)), into); err != nil {
			t.Fatal(err)
		}
		if st, err := os.Stat(into); err != nil || st.Mode().Perm() != c.want {
			t.Errorf("%v, %v, want %v", st.Mode(), err, c.want)
		}
	}
}
