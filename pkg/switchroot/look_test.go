package switchroot

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/internal/vmtest"
)

// contents are all bytes of a disk.
func contents(t *testing.T, disk string) []byte {
	t.Helper()
	unix.Sync()
	b, err := os.ReadFile(disk)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// crashed makes the image of a file system after a crash, with a journal to replay and an inode on
// the list of orphans.
func crashed(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "image")
	if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Truncate(file, 8<<20)); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"mke2fs", "-q", "-F", "-t", "ext4", "-O", "^metadata_csum", file},
		{"debugfs", "-w", "-R", "write /proc/self/status orphan", file},
		{"debugfs", "-w", "-R", "set_inode_field orphan links_count 0", file},
		{"debugfs", "-w", "-R", "unlink orphan", file},
		{"debugfs", "-w", "-R", "set_super_value last_orphan 12", file},
	} {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", args, err, out)
		}
	}
	return file
}

// The properties of Look on block devices are tested in a machine with one.
func TestBlockDevice(t *testing.T) {
	m := vmtest.Machine{FileSystems: []string{"ext4"}}
	if !vmtest.Inside() {
		m.Disk = crashed(t)
	}
	vmtest.Run(t, m, func() {
		if err := vmtest.WaitDisk(); err != nil {
			t.Fatal(err)
		}
		forbidWritesTwice(t, vmtest.Disk)
		lookWritesNothing(t, vmtest.Disk)
	})
}

// Look at a file system after a crash changes no byte, and restores whether the device is writable.
func lookWritesNothing(t *testing.T, dev string) {
	t.Helper()
	before := contents(t, dev)
	inNamespace(t, func() {
		looked := false
		err := Look(MountConfig{Device: dev, Dir: t.TempDir(), FSType: "ext4"}, func(string) error {
			looked = true
			return nil
		})
		if err != nil || !looked {
			t.Errorf("looked: %v, %v", looked, err)
		}
	})
	if !bytes.Equal(contents(t, dev), before) {
		t.Error("the disk changed")
	}
	if isReadOnly(t, dev) {
		t.Error("the device stays read-only")
	}
	// The same mount without Look does write: the test can fail.
	inNamespace(t, func() {
		dir := t.TempDir()
		if err := unix.Mount(dev, dir, "ext4", unix.MS_RDONLY, "noload"); err != nil {
			t.Error(err)
			return
		}
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	if bytes.Equal(contents(t, dev), before) {
		t.Error("an ext4 with orphans is not written to by ro,noload: this test proves nothing")
	}
}

func isReadOnly(t *testing.T, dev string) bool {
	t.Helper()
	ro := 0
	if err := withDevice(dev, func(fd int) (err error) {
		ro, err = unix.IoctlGetInt(fd, unix.BLKROGET)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return ro != 0
}

// A device that is read-only already stays so.
func forbidWritesTwice(t *testing.T, dev string) {
	t.Helper()
	outer, err := forbidWrites(dev)
	if err != nil || !isReadOnly(t, dev) {
		t.Fatalf("not read-only: %v", err)
	}
	inner, err := forbidWrites(dev)
	if err != nil {
		t.Fatal(err)
	}
	if inner(); !isReadOnly(t, dev) {
		t.Error("what was read-only before is writable")
	}
	if outer(); isReadOnly(t, dev) {
		t.Error("the device stays read-only")
	}
}

func TestWithDeviceMissing(t *testing.T) {
	if err := withDevice(filepath.Join(t.TempDir(), "none"), nil); !errors.Is(err, unix.ENOENT) {
		t.Errorf("got %v", err)
	}
}

func TestSubvolume(t *testing.T) {
	for in, want := range map[string]string{"": "", "rw,subvol=@,noatime": ",subvol=@", "subvolid=256": ",subvolid=256", "nosubvol=1": ""} {
		if got := subvolume(in); got != want {
			t.Errorf("%s: got %q", in, got)
		}
	}
}
