package agent

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Install copies the running program to Binary, from where the agent runs and which systemd returns
// to at shutdown, unless it is there already. The copy is atomic, at whatever moment this process
// ends. Calls may overlap, also of several processes.
func Install() error {
	if err := install(Binary); err != nil {
		return fmt.Errorf("install %s: %w", Binary, err)
	}
	return nil
}

// install copies the running program to path. It is a copy, since other means fail: a hard link
// cannot leave the initramfs' file system, and a file that is mounted on path may be left behind.
// systemd's shutdown makes the directory its root; it unmounts nothing below /run/initramfs before
// (src/shutdown/umount.c: nonunmountable_path), but its bind mount of the directory has nothing of
// what is mounted in it (src/shutdown/shutdown.c: switch_root_initramfs), and so has /run after a
// soft-reboot (src/shared/switch-root.c: transfer_table). Other inits unmount it. It costs about
// 1.2 instructions a byte.
func install(path string) error {
	in, err := os.Open("/proc/self/exe")
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	program, err := in.Stat()
	if err != nil {
		return err
	}
	there, err := os.Lstat(path)
	if err == nil && there.Mode().IsRegular() && there.Mode().Perm()&0o111 == 0o111 && there.Size() == program.Size() {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	// A file without a name leaves nothing behind if the process is killed.
	fd, err := unix.Open(filepath.Dir(path), unix.O_TMPFILE|unix.O_WRONLY|unix.O_CLOEXEC, 0o755)
	if err != nil {
		return &os.PathError{Op: "make file in", Path: filepath.Dir(path), Err: err}
	}
	out := os.NewFile(uintptr(fd), path)
	defer func() { _ = out.Close() }()
	if err := copyFile(out, in, program.Size()); err != nil {
		return err
	}
	return linkFile(out, path)
}

// copyFile copies within the kernel: the pages of the source are not read into a buffer first
// (sendfile(2)).
func copyFile(out, in *os.File, size int64) error {
	for size > 0 {
		n, err := unix.Sendfile(int(out.Fd()), int(in.Fd()), nil, int(min(size, 1<<30)))
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return os.NewSyscallError("sendfile", err)
		case n == 0:
			return io.ErrUnexpectedEOF
		}
		size -= int64(n)
	}
	return out.Chmod(0o755) // whatever the umask is
}

// linkFile links a file without a name to path, in place of what is there.
func linkFile(f *os.File, path string) error {
	link := func(to string) error {
		return unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", f.Fd()), unix.AT_FDCWD, to, unix.AT_SYMLINK_FOLLOW)
	}
	err := link(path)
	if !errors.Is(err, unix.EEXIST) {
		return os.NewSyscallError("linkat", err)
	}
	// linkat does not replace what is there; rename does, in one step.
	beside := fmt.Sprintf("%s.%d.%d", path, os.Getpid(), f.Fd())
	if err := link(beside); err != nil {
		return os.NewSyscallError("linkat", err)
	}
	if err := os.Rename(beside, path); err != nil {
		return errors.Join(err, os.Remove(beside))
	}
	return nil
}
