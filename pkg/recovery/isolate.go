package recovery

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// world is where the agent's own root is mounted before it moves in.
const world = "/run/iscsiroot/agent"

// isolate gives the process, whose mount namespace is its own already, a root
// of its own: an empty tmpfs with the kernel's file systems in it. Nothing of
// the real root is visible there, and nothing that PID 1 unmounts or deletes on
// its way takes part of it away: deleting a directory of the initramfs would
// unmount what another namespace has there (fs/namespace.c:
// __detach_mounts).
func isolate() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return &os.PathError{Op: "make private", Path: "/", Err: err}
	}
	if err := os.MkdirAll(world, 0o700); err != nil {
		return err
	}
	mounts := []struct {
		source, dir, fstype, data string
		flags                     uintptr
	}{
		{"iscsiroot", "", "tmpfs", "size=64k,mode=0755", unix.MS_NOSUID | unix.MS_NODEV},
		{"proc", "proc", "proc", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
		{"sysfs", "sys", "sysfs", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
		{"devtmpfs", "dev", "devtmpfs", "mode=0755", unix.MS_NOSUID},
		{"/run", "run", "", "", unix.MS_BIND},
	}
	for _, m := range mounts {
		dir := filepath.Join(world, m.dir)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m.source, dir, m.fstype, m.flags, m.data); err != nil {
			return fmt.Errorf("mount %s on %s: %w", m.source, dir, err)
		}
	}
	if err := os.Chdir(world); err != nil {
		return err
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move %s to /: %w", world, err)
	}
	if err := unix.Chroot("."); err != nil {
		return fmt.Errorf("chroot %s: %w", world, err)
	}
	return os.Chdir("/")
}
