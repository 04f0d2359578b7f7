package unpack

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

// readArchive makes an image and reads it.
func readArchive(t *testing.T, records ...cpio.Record) *archive.Tree {
	t.Helper()
	var data bytes.Buffer
	w := cpio.Newc.Writer(&data)
	if err := errors.Join(cpio.WriteRecords(w, records), cpio.WriteTrailer(w)); err != nil {
		t.Fatal(err)
	}
	image, err := archive.Index(data.Bytes(), archive.DefaultLimits)
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

// Where devices have other numbers than Linux's, no nodes are made: their names are reported.
func TestMakesNoNodesElsewhere(t *testing.T) {
	image := readArchive(t,
		cpio.StaticFile("file", "x", 0o600),
		cpio.CharDev("console", 0o600, 5, 1),
		cpio.Record{Info: cpio.Info{Name: "fifo", Mode: cpio.S_IFIFO | 0o600}},
	)
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
func TestOverwritesNothing(t *testing.T) {
	for _, one := range []string{"file", "directory", "link"} {
		t.Run(one, func(t *testing.T) {
			image := readArchive(t,
				cpio.StaticFile("file", "first", 0o644),
				cpio.Directory("directory", 0o755),
				cpio.StaticFile("directory/x", "x", 0o644),
				cpio.Symlink("link", "file"),
				cpio.StaticFile("other", "second", 0o644),
			)
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
