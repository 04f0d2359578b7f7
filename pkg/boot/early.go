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

// earlyMount is a file system that everything else needs.
type earlyMount struct {
	dir, fstype, data string
	flags             uintptr
}

// earlyMounts are made in this order, whatever the initrd around us did.
func earlyMounts() []earlyMount {
	return []earlyMount{
		{"/proc", "proc", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
		{"/sys", "sysfs", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
		{"/dev", "devtmpfs", "mode=0755", unix.MS_NOSUID},
		// Executable: what must outlive the initramfs is run from here.
		{"/run", "tmpfs", "mode=0755", unix.MS_NOSUID | unix.MS_NODEV},
	}
}

// mountEarly mounts what is not there yet.
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
	return errors.Join(append(errs, mountPlace(filepath.Dir(agent.Binary)))...)
}

// mountPlace makes the directory of the program that stays a mount of its own, of the same files. A
// real system that mounts /run again with noexec, as guides for hardening advise, changes that one
// mount: what is in here can be run nevertheless, by systemd at the end and by people. Where the
// mount is taken away the files are still there (OpenRC's localmount; systemd's soft-reboot, which
// takes /run along without what is mounted in it). systemd itself leaves it alone
// (src/shared/fstab-util.c: fstab_is_extrinsic; src/shutdown/umount.c: nonunmountable_path). A
// mount that is there already is only made executable.
func mountPlace(dir string) error {
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

// repair gives a mount that another program made the flags and the mode that it must have: in /run
// programs are run, and other users read files.
func repair(e earlyMount) error {
	if e.fstype != "tmpfs" {
		return nil
	}
	if err := unix.Mount("", e.dir, "", unix.MS_REMOUNT|unix.MS_BIND|e.flags, ""); err != nil {
		return &os.PathError{Op: "remount", Path: e.dir, Err: err}
	}
	return os.Chmod(e.dir, 0o755)
}

// linkModprobe makes us the program that the kernel runs for request_module (CONFIG_MODPROBE_PATH),
// unless the image already has one that is more than a dangling link. It is no part of our image,
// because the kernel asks for several modules before it runs this program, and each would start it
// without success.
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

// openStdio makes the console our standard files. Without a console it is a terminal that the log
// found, so that a crash of the Go runtime, which writes to standard error, is seen.
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

// settings are the kernel's settings that we change for as long as we run.
var settings = []struct{ path, value string }{
	// A Go runtime that crashes ends PID 1 and so the kernel: reboot then, after time enough to
	// read why.
	{"/proc/sys/kernel/panic", "30"},
	// Set by package kmsg.
	{"/proc/sys/kernel/printk_devkmsg", ""},
}

// noteSettings returns them as they are. It is called before anything changes them.
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
	// Until the real init sets it otherwise the kernel would reboot at once, without writing
	// anything back.
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
