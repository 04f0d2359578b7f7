package switchroot

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// loop makes a block device of a file.
func loop(t *testing.T, file string) string {
	t.Helper()
	out, err := exec.Command("losetup", "-f", "--show", file).CombinedOutput()
	if err != nil {
		t.Fatalf("losetup: %v: run as root\n%s", err, out)
	}
	dev := strings.TrimSpace(string(out))
	t.Cleanup(func() {
		if out, err := exec.Command("losetup", "-d", dev).CombinedOutput(); err != nil {
			t.Errorf("losetup: %v\n%s", err, out)
		}
	})
	return dev
}

func digest(t *testing.T, file string) string {
	t.Helper()
	unix.Sync()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(b))
}

// A file system after a crash, with a journal to replay and an inode on the
// list of orphans: looking at it changes not one byte, and leaves the device as
// writable as it was.
func TestLookWritesNothing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, 16<<20); err != nil {
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
	before := digest(t, file)
	dev := loop(t, file)
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
	if digest(t, file) != before {
		t.Error("the image changed")
	}
	if err := withDevice(dev, func(fd int) error {
		ro, err := unix.IoctlGetInt(fd, unix.BLKROGET)
		if ro != 0 {
			t.Error("the device stays read-only")
		}
		return err
	}); err != nil {
		t.Error(err)
	}
	// The same mount without that care does write: the test can fail.
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
	if digest(t, file) == before {
		t.Error("an ext4 with orphans is not written to by ro,noload: this test proves nothing")
	}
}

// A device that is read-only already stays so.
func TestForbidWritesTwice(t *testing.T) {
	file := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(file, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	dev := loop(t, file)
	isReadOnly := func() bool {
		ro := 0
		if err := withDevice(dev, func(fd int) (err error) {
			ro, err = unix.IoctlGetInt(fd, unix.BLKROGET)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return ro != 0
	}
	outer, err := forbidWrites(dev)
	if err != nil || !isReadOnly() {
		t.Fatalf("not read-only: %v", err)
	}
	inner, err := forbidWrites(dev)
	if err != nil {
		t.Fatal(err)
	}
	if inner(); !isReadOnly() {
		t.Error("what was read-only before is writable")
	}
	if outer(); isReadOnly() {
		t.Error("the device stays read-only")
	}
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
