package boot

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// The topmost of the mounts on a directory counts; what is in the initramfs
// itself does not.
func TestMountedType(t *testing.T) {
	const table = "rootfs / rootfs rw 0 0\ntmpfs /run tmpfs rw,noexec 0 0\nnone /sys tmpfs rw 0 0\nsysfs /sys sysfs rw 0 0\nproc /proc/self proc rw 0 0\nodd\n"
	for dir, want := range map[string]string{"/run": "tmpfs", "/sys": "sysfs", "/proc": "", "/dev": "", "/": "rootfs"} {
		if got := mountedType(table, dir); got != want {
			t.Errorf("on %s is %q, want %q", dir, got, want)
		}
	}
	if got := mountedType("", "/proc"); got != "" {
		t.Errorf("without a table there is %q", got)
	}
}

// The kernel gets a modprobe where there is none, or none that leads anywhere;
// another one stays.
func TestLinkModprobe(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ there, want string }{
		"none":     {"", self},
		"dangling": {"kmod", self},
		"another":  {"/proc/self/exe", "/proc/self/exe"},
	} {
		root := t.TempDir()
		path := filepath.Join(root, "sbin/modprobe")
		if c.there != "" {
			if err := errors.Join(os.Mkdir(filepath.Dir(path), 0o755), os.Symlink(c.there, path)); err != nil {
				t.Fatal(err)
			}
		}
		if err := linkModprobe(root); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got, err := os.Readlink(path); got != c.want {
			t.Errorf("%s: leads to %q, %v; want %q", name, got, err, c.want)
		}
	}
}
