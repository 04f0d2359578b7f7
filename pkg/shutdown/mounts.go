package shutdown

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/mounts"
)

// mounter is what the kernel does with mounts, and what it has to be asked for that. Tests have a
// fake: without a block device nothing can be on a disk.
type mounter struct {
	unmount  func(dir string, flags int) error
	readOnly func(dir string) error // remounts
	onDisk   func(dir string) bool
	pid      int // this process's
}

// system is the running kernel.
func system() mounter {
	return mounter{
		unmount:  unix.Unmount,
		readOnly: func(dir string) error { return unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, "") },
		onDisk:   onDisk,
		pid:      os.Getpid(),
	}
}

// Mounts implements System.
func (l *linux) Mounts() ([]string, error) {
	b, err := os.ReadFile(filepath.Join(l.proc, "self/mountinfo"))
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.DeleteFunc(below(string(b), l.old), func(dir string) bool { return l.kept[dir] }), nil
}

// onDisk reports whether what is mounted on dir has a block device. Major number 0 is the kernel's
// own file systems' (fs/super.c: get_anon_bdev), and btrfs'.
func onDisk(dir string) bool {
	var st unix.Stat_t
	var fs unix.Statfs_t
	return unix.Stat(dir, &st) == nil && unix.Major(st.Dev) != 0 ||
		unix.Statfs(dir, &fs) == nil && fs.Type == unix.BTRFS_SUPER_MAGIC
}

// below returns the mount points at dir and below it, the last mounted first, from the text of
// mountinfo.
func below(text, dir string) []string {
	var out []string
	for point := range mounts.Points(text) {
		if point == dir || strings.HasPrefix(point, dir+"/") {
			out = append(out, point)
		}
	}
	slices.Reverse(out)
	return out
}

// Unmount implements System. What is busy is remounted read-only, so that it is written back and
// clean. For the root from which another process 1 runs nothing more is possible.
func (l *linux) Unmount(dir string) error {
	err := l.unmount(dir, 0)
	if err == nil {
		return nil
	}
	if !l.onDisk(dir) && errors.Is(err, unix.EBUSY) {
		return l.Detach(dir) // a file system of the kernel: it is in use elsewhere too
	}
	if l.readOnly(dir) == nil && dir == l.old && l.pid != 1 {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.kept == nil {
			l.kept = map[string]bool{}
		}
		l.kept[dir] = true
		return nil
	}
	return &os.PathError{Op: "unmount", Path: dir, Err: err}
}

// Detach implements System.
func (l *linux) Detach(dir string) error {
	if err := l.unmount(dir, unix.MNT_DETACH); err != nil {
		return &os.PathError{Op: "detach", Path: dir, Err: err}
	}
	return nil
}

// Sync implements System.
func (l *linux) Sync() { unix.Sync() }
