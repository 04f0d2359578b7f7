package boot

import "testing"

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
