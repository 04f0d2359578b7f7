package initramfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// machineRoot makes the root directory of a machine with links in it, behind a link.
func machineRoot(t *testing.T) rootFS {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"outside", "machine/usr/lib/x"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"outside/file": "outside", "machine/usr/lib/x/file": "inside", "machine/file": "top"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{
		"root": "machine", "machine/lib": "usr/lib", "machine/abs": "/usr/lib/x/file", "machine/up": "../../../../file",
		"machine/usr/lib/up": "../../usr/./lib//x", "machine/out": filepath.Join(dir, "outside/file"), "machine/loop": "loop",
		"machine/usr/lib/abs": "/usr/lib/x", "machine/gone": "/nothing", "machine/chain": "lib/up/file",
	} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return rootFS(filepath.Join(dir, "root"))
}

// A link leads to where it leads on the machine, never out of its root directory.
func TestRootFS(t *testing.T) {
	root := machineRoot(t)
	for name, want := range map[string]string{
		"file": "top", "lib/x/file": "inside", "abs": "inside", "up": "top", "lib/up/file": "inside", "lib/abs/file": "inside", "chain": "inside",
	} {
		if data, err := fs.ReadFile(root, name); err != nil || string(data) != want {
			t.Errorf("%s: %q, %v; want %q", name, data, err, want)
		}
	}
	for name, want := range map[string]error{"out": fs.ErrNotExist, "gone": fs.ErrNotExist, "loop": syscall.ELOOP, "../file": fs.ErrInvalid} {
		if data, err := fs.ReadFile(root, name); !errors.Is(err, want) {
			t.Errorf("%s: %q, %v; want %v", name, data, err, want)
		}
	}
	below, err := root.sub(filepath.Join(string(root), "lib"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := below.Open("x/file")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if data, err := io.ReadAll(f); err != nil || string(data) != "inside" {
		t.Errorf("below a directory: %q, %v", data, err)
	}
}

// What is not a file does not stop the program.
func TestRootFSOpensNoFIFO(t *testing.T) {
	root := rootFS(t.TempDir())
	if err := syscall.Mkfifo(filepath.Join(string(root), "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := root.Open("fifo")
	if want := "open " + string(root) + "/fifo: not a regular file"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
