package boot

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/u-root/u-root/pkg/mount"
	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/kmsg"
	"github.com/iscsiroot/iscsiroot/pkg/mounts"
	"github.com/iscsiroot/iscsiroot/pkg/recovery/agent"
)

// earlyMount is a file system that all else needs.
type earlyMount struct {
	dir, fstype, data string
	flags             uintptr
}

// earlyMounts are made in this order, whatever the rest of the initrd did.
func earlyMounts() []earlyMount {
	return []earlyMount{
		{"/proc", "proc", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
		{"/sys", "sysfs", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
		{"/dev", "devtmpfs", "mode=0755", unix.MS_NOSUID},
		// Executable: what must outlive the initramfs is run from here.
		{"/run", "tmpfs", "mode=0755", unix.MS_NOSUID | unix.MS_NODEV},
	}
}

// mountEarly mounts those that are not mounted yet.
func mountEarly() error {
	var errs []error
	for _, e := range earlyMounts() {
		table, _ := os.ReadFile("/proc/self/mounts") // empty until /proc is there
		if mounts.On(string(table), e.dir).Type == e.fstype {
			errs = append(errs, repair(e))
			continue
		}
		err := os.MkdirAll(e.dir, 0o755)
		if err == nil {
			_, err = mount.Mount(e.fstype, e.dir, e.fstype, e.data, e.flags)
		}
		errs = append(errs, err)
	}
	return errors.Join(append(errs, mountProgramDir(filepath.Dir(agent.Binary)))...)
}

// mountProgramDir bind mounts the directory of the program that stays in /run on itself. A real
// system that remounts /run with noexec, as guides for hardening advise, changes only the mount of
// /run: the program can still be run, by systemd at shutdown and by hand. Where the bind mount is
// removed the files are still there (OpenRC's localmount; systemd's soft-reboot, which moves /run
// without the mounts in it). systemd itself does not unmount it (src/shared/fstab-util.c:
// fstab_is_extrinsic; src/shutdown/umount.c: nonunmountable_path). A mount that is there already is
// only made executable.
func mountProgramDir(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	table, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return err
	}
	if mounts.On(string(table), dir) == (mounts.Mount{}) {
		if err := unix.Mount(dir, dir, "", unix.MS_BIND, ""); err != nil {
			return &os.PathError{Op: "bind", Path: dir, Err: err}
		}
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil || fs.Flags&unix.ST_NOEXEC == 0 {
		return err
	}
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_NOSUID|unix.MS_NODEV, ""); err != nil {
		return &os.PathError{Op: "remount", Path: dir, Err: err}
	}
	return nil
}

// repair sets the flags and the mode that a mount by another program must have: programs in /run
// are run, and other users read files there.
func repair(e earlyMount) error {
	if e.fstype != "tmpfs" {
		return nil
	}
	if err := unix.Mount("", e.dir, "", unix.MS_REMOUNT|unix.MS_BIND|e.flags, ""); err != nil {
		return &os.PathError{Op: "remount", Path: e.dir, Err: err}
	}
	return os.Chmod(e.dir, 0o755)
}

// linkModprobe makes this program the one that the kernel runs for request_module
// (CONFIG_MODPROBE_PATH), unless the image already has one that is more than a dangling link. The
// link is not in the image, because the kernel requests several modules before it runs /init, and
// each request would start the program without success.
func linkModprobe(root string) error {
	path := filepath.Join(root, "sbin/modprobe")
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	_ = os.Remove(path)
	return os.Symlink(self, path)
}

// openStdio opens the console as standard input, output and error. Without a console it is a
// terminal that the log found, so that a crash of the Go runtime, which writes to standard error,
// is visible.
func openStdio(log *kmsg.Logger) {
	if f, err := os.OpenFile("/dev/console", os.O_RDWR, 0); err == nil {
		for fd := range 3 {
			_ = unix.Dup3(int(f.Fd()), fd, 0)
		}
		_ = f.Close()
		return
	}
	if t := log.Terminals(); len(t) > 0 {
		_ = unix.Dup3(int(t[0].Fd()), 2, 0)
	}
}

// settings are the kernel's settings that are changed until the real init starts.
var settings = []struct{ path, value string }{
	// A crash of the Go runtime ends PID 1, and the kernel panics: reboot then, after time
	// enough to read why.
	{"/proc/sys/kernel/panic", "30"},
	// Set by package kmsg.
	{"/proc/sys/kernel/printk_devkmsg", ""},
}

// noteSettings returns their current values. It is called before anything changes them.
func noteSettings() []string {
	before := make([]string, len(settings))
	for i, s := range settings {
		if b, err := os.ReadFile(s.path); err == nil {
			before[i] = strings.TrimSpace(string(b))
		}
	}
	return before
}

// changeSettings changes the kernel's settings, and returns how to put them back to what
// noteSettings returned. keepPanic leaves panic= of the command line alone.
func changeSettings(before []string, keepPanic bool) (restore func()) {
	// Otherwise the kernel reboots immediately on ctrl-alt-del, without writing anything back,
	// until the real init changes that.
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_CAD_OFF)
	for i, s := range settings {
		switch {
		case keepPanic && s.value == "30":
			before[i] = ""
		case s.value != "" && before[i] != "":
			_ = os.WriteFile(s.path, []byte(s.value), 0)
		}
	}
	return func() {
		_ = unix.Reboot(unix.LINUX_REBOOT_CMD_CAD_ON) // the kernel's default
		for i, s := range settings {
			if before[i] != "" {
				_ = os.WriteFile(s.path, []byte(before[i]), 0)
			}
		}
	}
}
