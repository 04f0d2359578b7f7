package initramfs

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"

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
	return &unpacker{root: root, owner: os.Geteuid() == 0, bodies: map[any]string{}}
}

// Where devices have other numbers than Linux's, no nodes are made: the user is told their names.
func TestUnpackMakesNoNodesElsewhere(t *testing.T) {
	image := readArchive(t, []File{{Path: "/file", Data: []byte("x")}})
	u := onDarwin(t)
	file, ok := image.Lookup("file")
	if !ok {
		t.Fatal("no file")
	}
	console := *file
	console.Name, console.Mode, console.RMajor, console.RMinor = "console", archive.TypeChar|0o600, 5, 1
	if err := errors.Join(u.node(file), u.node(&console)); err != nil {
		t.Fatal(err)
	}
	if _, err := u.root.Lstat("console"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("console: %v", err)
	}
	if strings.Join(u.skipped, " ") != "console" {
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
			for _, name := range image.Names() {
				n, _ := image.Lookup(name)
				if err := u.node(n); err != nil {
					t.Fatal(err)
				}
			}
			other, _ := image.Lookup("other")
			again := *other
			again.Name = one
			delete(u.bodies, other.File())
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
