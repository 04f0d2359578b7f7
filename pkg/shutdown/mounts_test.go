package shutdown

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// heldRoot is a machine with a root at /oldroot that is in use, a file system on a disk below it,
// and one of the kernel. did lists what was done to them.
func heldRoot(t *testing.T, pid int, readOnly error) (l *linux, did *[]string) {
	t.Helper()
	did = &[]string{}
	note := func(format string, args ...any) { *did = append(*did, fmt.Sprintf(format, args...)) }
	return &linux{
		proc: tree(t, map[string]string{
			"self/mountinfo": "22 21 8:2 / /oldroot rw - ext4 /dev/sda2 rw\n23 22 8:3 / /oldroot/home rw - ext4 /dev/sda3 rw\n24 22 0:6 / /oldroot/sys rw - sysfs sys rw\n",
		}),
		old: "/oldroot",
		mounter: mounter{
			unmount: func(dir string, flags int) error {
				if flags == unix.MNT_DETACH {
					note("detach %s", dir)
					return nil
				}
				return unix.EBUSY
			},
			readOnly: func(dir string) error { note("read-only %s", dir); return readOnly },
			onDisk:   func(dir string) bool { return !strings.HasSuffix(dir, "/sys") },
			pid:      pid,
		},
	}, did
}

// Only the root is kept, read-only, and only where another process 1 runs from it: it is not
// unmounted again, and so not detached either. All else that is in use is an error, and tried
// again.
func TestKeptRoot(t *testing.T) {
	for _, tt := range []struct {
		name     string
		pid      int
		readOnly error
		busy     []string
		left     []string
	}{
		{"beside process 1", 4711, nil, []string{"/oldroot/home"}, []string{"/oldroot/sys", "/oldroot/home"}},
		{"as process 1", 1, nil, []string{"/oldroot/home", "/oldroot"}, []string{"/oldroot/sys", "/oldroot/home", "/oldroot"}},
		{"it stays writable", 4711, unix.EBUSY, []string{"/oldroot/home", "/oldroot"}, []string{"/oldroot/sys", "/oldroot/home", "/oldroot"}},
	} {
		l, did := heldRoot(t, tt.pid, tt.readOnly)
		all, err := l.Mounts()
		if err != nil {
			t.Fatal(err)
		}
		var busy []string
		for _, dir := range all {
			switch err := l.Unmount(dir); {
			case errors.Is(err, unix.EBUSY):
				busy = append(busy, dir)
			case err != nil:
				t.Errorf("%s: %v", tt.name, err)
			}
		}
		if left, err := l.Mounts(); !slices.Equal(busy, tt.busy) || !slices.Equal(left, tt.left) || err != nil {
			t.Errorf("%s: %q are busy, and %q left, %v", tt.name, busy, left, err)
		}
		if want := []string{"detach /oldroot/sys", "read-only /oldroot/home", "read-only /oldroot"}; !slices.Equal(*did, want) {
			t.Errorf("%s: did %q, want %q", tt.name, *did, want)
		}
	}
	l := &linux{proc: t.TempDir()}
	if got, err := l.Mounts(); err == nil {
		t.Errorf("without a mountinfo: %q", got)
	}
}

// What is unmounted is not touched further, and the error of a file system that the kernel cannot
// remount names it.
func TestUnmount(t *testing.T) {
	l, did := heldRoot(t, 4711, nil)
	l.unmount = func(string, int) error { return nil }
	if err := l.Unmount("/oldroot"); err != nil || len(*did) > 0 || len(l.kept) > 0 {
		t.Errorf("%v, did %q, kept %v", err, *did, l.kept)
	}
	l.unmount = func(string, int) error { return unix.EINVAL }
	if err := l.Unmount("/oldroot/sys"); err == nil || err.Error() != "unmount /oldroot/sys: invalid argument" {
		t.Error(err)
	}
	if err := l.Detach("/oldroot/sys"); err == nil || err.Error() != "detach /oldroot/sys: invalid argument" {
		t.Error(err)
	}
}

// A file system without a block device is the kernel's own.
func TestOnDisk(t *testing.T) {
	if onDisk("/proc") {
		t.Error("/proc is on a disk")
	}
}
