package boot

import (
	"errors"
	"os"
	"os/signal"
	"strings"

	"github.com/u-root/u-root/pkg/mount"
	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/kmsg"
)

// earlyMount is a file system that everything else needs.
type earlyMount struct {
	dir, fstype, data string
	flags             uintptr
	magic             int64 // of statfs(2), to see that it is there already
}

// earlyMounts are made in this order, whatever the initrd around us did.
func earlyMounts() []earlyMount {
	return []earlyMount{
		{"/proc", "proc", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, unix.PROC_SUPER_MAGIC},
		{"/sys", "sysfs", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, unix.SYSFS_MAGIC},
		{"/dev", "devtmpfs", "mode=0755", unix.MS_NOSUID, unix.TMPFS_MAGIC},
		// Executable: what must outlive the initramfs is run from here.
		{"/run", "tmpfs", "mode=0755", unix.MS_NOSUID | unix.MS_NODEV, unix.TMPFS_MAGIC},
	}
}

// mountEarly mounts what is not there yet.
func mountEarly() error {
	var errs []error
	for _, e := range earlyMounts() {
		if mounted(e) {
			continue
		}
		err := os.MkdirAll(e.dir, 0o755)
		if err == nil {
			_, err = mount.Mount(e.fstype, e.dir, e.fstype, e.data, e.flags)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// mounted tells whether dir has its file system already, and not only because
// the initramfs is of the same type. A /run that forbids programs is mended.
func mounted(e earlyMount) bool {
	var st unix.Statfs_t
	if unix.Statfs(e.dir, &st) != nil || int64(st.Type) != e.magic {
		return false
	}
	if same, err := mount.SameFilesystem("/", e.dir); err != nil || same {
		return false
	}
	if e.flags&unix.MS_NOEXEC == 0 && st.Flags&unix.ST_NOEXEC != 0 {
		_ = unix.Mount("", e.dir, "", unix.MS_REMOUNT|unix.MS_BIND|e.flags, "")
	}
	return true
}

// openStdio makes the console our standard files. Without a console it is a
// terminal that the log found, so that a crash of the Go runtime, which writes
// to standard error, is seen.
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

// catchSignals catches every signal that can be, so that none ends PID 1, and
// keeps reaping children. What another process sends us does nothing else.
func catchSignals(r *reaper) {
	signals := make(chan os.Signal, 64)
	signal.Notify(signals)
	go func() {
		for s := range signals {
			if s == unix.SIGCHLD {
				r.reap()
			}
		}
	}()
}

// settings are the kernel's settings that we change for as long as we run.
var settings = []struct{ path, value string }{
	// A Go runtime that crashes ends PID 1 and so the kernel: reboot then,
	// after time enough to read why.
	{"/proc/sys/kernel/panic", "30"},
	// Set by package kmsg.
	{"/proc/sys/kernel/printk_devkmsg", ""},
}

// changeSettings notes the kernel's settings, changes them, and returns how to
// put them back. keepPanic leaves panic= of the command line alone.
func changeSettings(keepPanic bool) (restore func()) {
	before := make([]string, len(settings))
	for i, s := range settings {
		b, err := os.ReadFile(s.path)
		if err != nil || keepPanic && s.value == "30" {
			continue
		}
		before[i] = strings.TrimSpace(string(b))
		if s.value != "" {
			_ = os.WriteFile(s.path, []byte(s.value), 0)
		}
	}
	return func() {
		for i, s := range settings {
			if before[i] != "" {
				_ = os.WriteFile(s.path, []byte(before[i]), 0)
			}
		}
	}
}
