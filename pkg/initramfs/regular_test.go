package initramfs_test

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
)

// What is not a regular file is refused immediately: no call waits for a writer or reads without
// end.
func TestReadRegular(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	writeFile(t, at("file"), []byte("text"))
	writeFile(t, at("sparse"), nil)
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	for _, err := range []error{
		os.Truncate(at("sparse"), 1<<40), unix.Mkfifo(at("fifo"), 0o600), unix.Bind(fd, &unix.SockaddrUnix{Name: at("socket")}),
		os.Symlink("file", at("link")), os.Symlink("fifo", at("tofifo")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		at("fifo"): "not a regular file", at("tofifo"): "not a regular file", at("socket"): "not a regular file", dir: "not a regular file",
		"/dev/zero": "not a regular file", "/dev/null": "not a regular file", at("sparse"): "larger than 4 bytes",
		"/proc/self/status": "larger than 4 bytes", at("none"): "no such file or directory", at("file"): "", at("link"): "",
	} {
		data, err := initramfs.ReadRegular(name, 4)
		switch {
		case want == "" && (err != nil || string(data) != "text"):
			t.Errorf("%s: %q, %v", name, data, err)
		case want != "" && (err == nil || err.Error() != want):
			t.Errorf("%s: %q, %v, want %s", name, data, err, want)
		}
	}
	if data, err := initramfs.ReadRegular("/proc/self/status", 1<<20); err != nil || len(data) == 0 {
		t.Errorf("a file without a size: %q, %v", data, err)
	}
}
