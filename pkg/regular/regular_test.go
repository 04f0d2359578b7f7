package regular_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/iscsiroot/iscsiroot/pkg/regular"
)

// What is not a regular file is refused at once, and so is one that is too large.
func TestRead(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	err := errors.Join(
		os.WriteFile(at("file"), []byte("12345678"), 0o600),
		syscall.Mkfifo(at("fifo"), 0o600), os.Mkdir(at("dir"), 0o700),
		os.Symlink("file", at("link")), os.Symlink("/dev/zero", at("device")), os.Symlink("fifo", at("to-fifo")),
	)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		limit int64
		want  error
	}{
		{"file", 8, nil},
		{"link", 8, nil},
		{"file", 7, regular.ErrTooLarge},
		{"fifo", 8, regular.ErrNotRegular},
		{"to-fifo", 8, regular.ErrNotRegular},
		{"dir", 8, regular.ErrNotRegular},
		{"device", 8, regular.ErrNotRegular},
		{"none", 8, fs.ErrNotExist},
	} {
		b, err := regular.Read(os.DirFS(dir), c.name, c.limit)
		if !errors.Is(err, c.want) || c.want == nil && string(b) != "12345678" || c.want != nil && b != nil {
			t.Errorf("%s, %d bytes: %q, %v", c.name, c.limit, b, err)
		}
	}
}

// sizeless is a file system whose files have more than their size, as those of procfs.
type sizeless struct{ fstest.MapFS }

// Stat returns a size of 0.
func (s sizeless) Stat(name string) (fs.FileInfo, error) {
	st, err := s.MapFS.Stat(name)
	return noSize{st}, err
}

type noSize struct{ fs.FileInfo }

func (noSize) Size() int64 { return 0 }

// A file with more than its size is read, and bounded.
func TestReadWithoutSize(t *testing.T) {
	files := sizeless{fstest.MapFS{"file": {Data: []byte("12345678")}}}
	if b, err := regular.Read(files, "file", 8); err != nil || string(b) != "12345678" {
		t.Errorf("%q, %v", b, err)
	}
	if b, err := regular.Read(files, "file", 7); !errors.Is(err, regular.ErrTooLarge) {
		t.Errorf("%q, %v", b, err)
	}
}
