package shutdown

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Where the real root is, and where the program is until then.
const (
	oldRoot = "/oldroot"
	place   = "/run/initramfs"
)

// enter makes the directory in memory that holds the program the root, and the real root what is
// below /oldroot in it. systemd has done so before it runs this program; other inits, as process 1
// or by a script, have not. Every process whose root or working directory was the real root's gets
// the new one (pivot_root(2)).
func enter() error {
	if b, err := os.ReadFile("/proc/self/mountinfo"); err == nil && len(below(string(b), oldRoot)) > 0 {
		return nil
	}
	mounts := []struct {
		source, dir string
		flags       uintptr
	}{
		{"", "/", unix.MS_PRIVATE | unix.MS_REC}, // as pivot_root(2) requires
		{place, place, unix.MS_BIND},
		{"/dev", place + "/dev", unix.MS_BIND | unix.MS_REC},
		{"/proc", place + "/proc", unix.MS_BIND | unix.MS_REC},
		{"/sys", place + "/sys", unix.MS_BIND | unix.MS_REC},
		{"/run", place + "/run", unix.MS_BIND},
	}
	for _, m := range mounts {
		if err := os.MkdirAll(m.dir, 0o755); err != nil {
			return fmt.Errorf("leave root: %w", err)
		}
		if err := unix.Mount(m.source, m.dir, "", m.flags, ""); err != nil {
			return fmt.Errorf("leave root: mount %s on %s: %w", m.source, m.dir, err)
		}
	}
	if err := os.MkdirAll(place+oldRoot, 0o755); err != nil {
		return fmt.Errorf("leave root: %w", err)
	}
	if err := os.Chdir(place); err != nil {
		return fmt.Errorf("leave root: %w", err)
	}
	if err := unix.PivotRoot(".", oldRoot[1:]); err != nil {
		return fmt.Errorf("leave root: pivot: %w", err)
	}
	if err := unix.Chroot("."); err != nil {
		return fmt.Errorf("leave root: %w", err)
	}
	return os.Chdir("/")
}
