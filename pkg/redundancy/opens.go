package redundancy

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// opensNamed lists the devices that stand below loop devices, and those that the kernel's target
// (LIO) exports. Their users are in no list of holders.
func (r *Rule) opensNamed(b *busy) {
	loops, _ := filepath.Glob(filepath.Join(r.Sys, "block/loop*/loop/backing_file")) // the pattern is good
	for _, path := range loops {
		text, _ := os.ReadFile(path)
		b.addNode(strings.TrimSuffix(string(text), "\n"))
	}
	config, done := r.configfs()
	defer done()
	exports, _ := filepath.Glob(filepath.Join(config, "target/core/iblock_*/*/info")) // the pattern is good
	for _, path := range exports {
		text, _ := os.ReadFile(path)
		if n, ok := exported(string(text)); ok {
			b.numbers[n] = true
		}
	}
}

// configfs returns where the kernel's configuration of targets is. The agent has a root of its own
// in which it is not mounted: it is opened without a mount point there (fsmount(2), Linux 5.2). The
// directory is there once the kernel has that file system, which it need not load then.
func (r *Rule) configfs() (dir string, done func()) {
	dir, done = filepath.Join(r.Sys, "kernel/config"), func() {}
	if names, err := os.ReadDir(dir); err != nil || len(names) > 0 {
		return dir, done
	}
	context, err := unix.Fsopen("configfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return dir, done
	}
	defer func() { _ = unix.Close(context) }()
	if err = unix.FsconfigCreate(context); err != nil {
		return dir, done
	}
	root, err := unix.Fsmount(context, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		return dir, done
	}
	return fmt.Sprintf("/proc/self/fd/%d", root), func() { _ = unix.Close(root) }
}

// exported returns the number of the device in the kernel's text about an export: "8:16"
// (drivers/target/target_core_iblock.c: iblock_show_configfs_dev_params).
func exported(info string) (number string, ok bool) {
	_, rest, ok := strings.Cut(info, "Major: ")
	major, rest, ok2 := strings.Cut(rest, " Minor: ")
	minor, _, ok3 := strings.Cut(rest, " ")
	return major + ":" + minor, ok && ok2 && ok3
}

// addNode adds the name of a device by its node.
func (b *busy) addNode(path string) {
	if strings.Contains(path, "/dev/") { // also that of a chroot
		b.names[filepath.Base(path)] = true
	}
}

// batch is how many names of a directory are read at once: the memory of the agent is locked, and a
// process may have many files.
const batch = 256

// opensOfPrograms adds the devices that programs have open for writing, as an emulator its disks.
// One that only reads loses no data: multipathd and udev have all disks open so. Only links are
// read, so that no file system is waited for.
func (r *Rule) opensOfPrograms(b *busy) {
	eachName(r.Proc, func(pid string) {
		if _, err := strconv.ParseUint(pid, 10, 32); err != nil {
			return
		}
		dir := filepath.Join(r.Proc, pid)
		eachName(filepath.Join(dir, "fd"), func(fd string) {
			if path, err := os.Readlink(filepath.Join(dir, "fd", fd)); err == nil && strings.Contains(path, "/dev/") && writes(filepath.Join(dir, "fdinfo", fd)) {
				b.addNode(path)
			}
		})
	})
}

// writes reports whether a file is open for writing, by the kernel's text about it (proc(5),
// /proc/pid/fdinfo).
func writes(fdinfo string) bool {
	text, _ := os.ReadFile(fdinfo)
	for line := range strings.Lines(string(text)) {
		if flags, ok := strings.CutPrefix(line, "flags:"); ok {
			n, err := strconv.ParseUint(strings.TrimSpace(flags), 8, 32)
			return err == nil && int(n)&(os.O_WRONLY|os.O_RDWR) != 0
		}
	}
	return false
}

// eachName calls a function for each name in a directory. One that cannot be read has none: the
// process has ended.
func eachName(dir string, f func(name string)) {
	d, err := os.Open(dir)
	if err != nil {
		return
	}
	defer func() { _ = d.Close() }()
	for {
		names, err := d.Readdirnames(batch)
		for _, name := range names {
			f(name)
		}
		if err != nil { // io.EOF at the end
			return
		}
	}
}
