package initramfs

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/u-root/u-root/pkg/cpio"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs/archive"
)

// readArchive makes an image of files and reads it.
func readArchive(t *testing.T, files []File) *archive.Tree {
	t.Helper()
	data, err := Archive(files)
	if err != nil {
		t.Fatal(err)
	}
	image, err := archive.Read(data, archive.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// onDarwin unpacks as root of another system than Linux would.
func onDarwin(t *testing.T) *unpacker {
	t.Helper()
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return newUnpacker(t.Context(), root, false)
}

// Where devices have other numbers than Linux's, no nodes are made: the user is told their names.
func TestUnpackMakesNoNodesElsewhere(t *testing.T) {
	var data bytes.Buffer
	err := tree{
		"file":    {mode: cpio.S_IFREG | 0o600, data: content([]byte("x"))},
		"console": {mode: cpio.S_IFCHR | 0o600, major: 5, minor: 1},
		"fifo":    {mode: cpio.S_IFIFO | 0o600},
	}.write(t.Context(), &data, 0)
	if err != nil {
		t.Fatal(err)
	}
	image, err := archive.Index(data.Bytes(), archive.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	u := onDarwin(t)
	if err := errors.Join(u.names(image), u.contents(image), u.attributes(image)); err != nil {
		t.Fatal(err)
	}
	if made, err := fs.Glob(u.root.FS(), "*"); err != nil || !slices.Equal(made, []string{"file"}) {
		t.Errorf("made %q, %v", made, err)
	}
	want := []string{"console: only root on Linux can make device nodes", "fifo: FIFOs and sockets are made on Linux alone"}
	if !slices.Equal(u.skipped, want) {
		t.Errorf("skipped %q", u.skipped)
	}
}

// Two names that are one on a file system that does not distinguish case are an error, and the
// first stays as it is. A second node of the same name stands for the other name here.
func TestUnpackOverwritesNothing(t *testing.T) {
	for _, one := range []string{"file", "directory", "link"} {
		t.Run(one, func(t *testing.T) {
			image := readArchive(t, []File{
				{Path: "/file", Data: []byte("first")},
				{Path: "/directory/x", Data: []byte("x")},
				{Path: "/link", Mode: fs.ModeSymlink, Data: []byte("file")},
				{Path: "/other", Data: []byte("second")},
			})
			u := onDarwin(t)
			if err := errors.Join(u.names(image), u.contents(image)); err != nil {
				t.Fatal(err)
			}
			other, _ := image.Lookup("other")
			again := *other
			again.Name = one
			delete(u.files, other.File())
			err := u.node(&again)
			if !errors.Is(err, fs.ErrExist) || !strings.HasSuffix(err.Error(), "use one that is case-sensitive") {
				t.Errorf("got %v", err)
			}
			if data, err := u.root.ReadFile("file"); err != nil || string(data) != "first" {
				t.Errorf("the first one now holds %q, %v", data, err)
			}
		})
	}
}
