package switchroot

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// inNamespace runs f in a mount namespace of its own.
func inNamespace(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // without an unlock: the thread ends with the goroutine
		if err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_FS); err != nil {
			t.Errorf("unshare: %v: run as root", err)
			return
		}
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			t.Error(err)
			return
		}
		f()
	}()
	<-done
}

func TestOptions(t *testing.T) {
	for _, tt := range []struct {
		text  string
		flags uintptr
		want  uintptr
		data  string
	}{
		{"", unix.MS_RDONLY, unix.MS_RDONLY, ""},
		{"rw", unix.MS_RDONLY, 0, ""},
		{"ro", 0, unix.MS_RDONLY, ""},
		{"ro,rw", 0, 0, ""},
		{"defaults,noatime,nodev,nosuid", 0, unix.MS_NOATIME | unix.MS_NODEV | unix.MS_NOSUID, ""},
		{"sync,async,noexec,exec", 0, 0, ""},
		{"data=journal,ro,,errors=remount-ro", 0, unix.MS_RDONLY, "data=journal,errors=remount-ro"},
		{"subvol=@", 0, 0, "subvol=@"},
	} {
		if flags, data := Options(tt.text, tt.flags); flags != tt.want || data != tt.data {
			t.Errorf("%q: %#x, %q", tt.text, flags, data)
		}
	}
}

func TestMount(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "here")
	for _, tt := range []struct {
		c     MountConfig
		flags int64 // of statfs(2)
	}{
		{MountConfig{}, unix.ST_RDONLY | unix.ST_RELATIME},
		{MountConfig{ReadWrite: true}, unix.ST_RELATIME},
		{MountConfig{Options: "rw,noatime,size=64k"}, unix.ST_NOATIME},
		{MountConfig{ReadWrite: true, Options: "ro,nodev"}, unix.ST_RDONLY | unix.ST_NODEV | unix.ST_RELATIME},
	} {
		inNamespace(t, func() {
			tt.c.Device, tt.c.Dir, tt.c.FSType = "none", dir, "tmpfs"
			if err := Mount(tt.c); err != nil {
				t.Error(err)
				return
			}
			var st unix.Statfs_t
			const valid = 0x20 // ST_VALID (include/linux/statfs.h)
			if err := unix.Statfs(dir, &st); err != nil || st.Type != unix.TMPFS_MAGIC || st.Flags&^valid != tt.flags {
				t.Errorf("%+v: type %#x, flags %#x, %v", tt.c, st.Type, st.Flags, err)
			}
			if strings.Contains(tt.c.Options, "size=64k") && int64(st.Blocks)*st.Bsize != 64<<10 {
				t.Errorf("%d blocks of %d bytes", st.Blocks, st.Bsize)
			}
		})
	}
}

func TestMountErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	inNamespace(t, func() {
		err := Mount(MountConfig{Device: "/dev/sda2", Dir: t.TempDir(), FSType: "nosuchfs"})
		if !errors.Is(err, unix.ENODEV) || err.Error() != "mount /dev/sda2 (nosuchfs): no such device" {
			t.Errorf("got %v", err)
		}
		err = Mount(MountConfig{Device: "none", Dir: t.TempDir(), FSType: "tmpfs", Options: "nosuchoption"})
		if !errors.Is(err, unix.EINVAL) {
			t.Errorf("got %v", err)
		}
		if err = Mount(MountConfig{Device: "none", Dir: file, FSType: "tmpfs"}); !errors.Is(err, unix.ENOTDIR) {
			t.Errorf("got %v", err)
		}
	})
}

// Look does not write, whatever the configuration, and leaves no mount.
func TestLook(t *testing.T) {
	dir := t.TempDir()
	c := MountConfig{Device: "none", Dir: dir, FSType: "tmpfs", ReadWrite: true, Options: "rw"}
	inNamespace(t, func() {
		seen := errors.New("seen")
		err := Look(c, func(got string) error {
			if _, err := os.Create(filepath.Join(got, "x")); got != dir || !errors.Is(err, unix.EROFS) {
				t.Errorf("%s: %v", got, err)
			}
			return seen
		})
		if !errors.Is(err, seen) {
			t.Errorf("got %v", err)
		}
		if _, err := os.Create(filepath.Join(dir, "below")); err != nil {
			t.Errorf("still mounted: %v", err)
		}
		c.FSType = "nosuchfs"
		if err := Look(c, func(string) error { return seen }); !errors.Is(err, unix.ENODEV) {
			t.Errorf("got %v", err)
		}
	})
}

// A mount that cannot be undone is an error.
func TestLookBusy(t *testing.T) {
	dir := t.TempDir()
	inNamespace(t, func() {
		var f *os.File
		err := Look(MountConfig{Device: "none", Dir: dir, FSType: "tmpfs"}, func(string) (err error) {
			f, err = os.Open(dir)
			return err
		})
		if !errors.Is(err, unix.EBUSY) || err.Error() != "unmount none: device or resource busy" {
			t.Errorf("got %v", err)
		}
		_ = f.Close()
	})
}

// A root that cannot be written to and lacks directories is an error, unless it lacks only /run.
func TestMountPointsReadOnly(t *testing.T) {
	inNamespace(t, func() {
		dir := tree(t, map[string]string{"dev/": "", "proc/": "", "sys/": ""})
		if err := errors.Join(
			unix.Mount(dir, dir, "", unix.MS_BIND, ""),
			unix.Mount("", dir, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""),
		); err != nil {
			t.Error(err)
			return
		}
		if got, err := MountPoints(dir, "/dev/sda2"); err != nil || !slices.Equal(got, []string{"/dev", "/proc", "/sys"}) {
			t.Errorf("%q, %v", got, err)
		}
		sub := filepath.Join(dir, "sys")
		_, err := MountPoints(sub, "/dev/sda2")
		var me *MountPointError
		if !errors.As(err, &me) || !slices.Equal(me.Missing, []string{"/dev", "/proc", "/sys"}) || !errors.Is(err, unix.EROFS) || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("got %v", err)
		}
	})
}
