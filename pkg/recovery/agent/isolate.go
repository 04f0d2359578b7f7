package agent

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/mounts"
	"github.com/iscsiroot/iscsiroot/pkg/runstate"
)

// agentRoot is where the agent's own root is mounted before it becomes /.
const agentRoot = runstate.AgentRoot

// isolate gives the process, which has its own mount namespace already, its own root: an empty
// tmpfs with the kernel's file systems and /run in it. What PID 1 unmounts or deletes does not
// remove part of it: deleting a directory of the initramfs would unmount what another namespace has
// there (fs/namespace.c: __detach_mounts). All else of the namespace is unmounted: what is mounted
// here could not be released by the real system, root above all.
func isolate() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return &os.PathError{Op: "make private", Path: "/", Err: err}
	}
	inherited, err := mountPoints()
	if err != nil {
		return err
	}
	if err := mountAgentRoot(); err != nil {
		return err
	}
	if err := os.Chdir(agentRoot); err != nil {
		return err
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move %s to /: %w", agentRoot, err)
	}
	// Paths still begin at the old root, below what has just been moved there.
	for _, dir := range inherited {
		detach(dir)
	}
	if err := unix.Chroot("."); err != nil {
		return fmt.Errorf("chroot %s: %w", agentRoot, err)
	}
	return os.Chdir("/")
}

// mountAgentRoot mounts the new root and the file systems in it.
func mountAgentRoot() error {
	if err := os.MkdirAll(agentRoot, 0o700); err != nil {
		return err
	}
	inside := []struct {
		source, dir, fstype, data string
		flags                     uintptr
	}{
		{"iscsiroot", "", "tmpfs", "size=64k,mode=0755", unix.MS_NOSUID | unix.MS_NODEV},
		{"proc", "proc", "proc", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
		{"sysfs", "sys", "sysfs", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
		{"devtmpfs", "dev", "devtmpfs", "mode=0755", unix.MS_NOSUID},
		{"/run", "run", "", "", unix.MS_BIND},
	}
	for _, m := range inside {
		dir := filepath.Join(agentRoot, m.dir)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m.source, dir, m.fstype, m.flags, m.data); err != nil {
			return fmt.Errorf("mount %s on %s: %w", m.source, dir, err)
		}
	}
	return nil
}

// mountPoints lists the mount points but for /.
func mountPoints() ([]string, error) {
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var out []string
	for dir := range mounts.Points(string(b)) {
		if dir != "/" {
			out = append(out, dir)
		}
	}
	return out, nil
}

// detach unmounts all that is mounted on a directory, with what is mounted below. That it is not
// mounted any more is not an error; what cannot be unmounted is left, which only delays the end of
// that file system.
func detach(dir string) {
	for unix.Unmount(dir, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW) == nil {
	}
}
