package boot

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/internal/nstest"
)

// A link to modprobe is made where there is none, or a dangling one; another one stays.
func TestLinkModprobe(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ there, want string }{
		"none":     {"", self},
		"dangling": {"kmod", self},
		"another":  {"/proc/self/exe", "/proc/self/exe"},
	} {
		root := t.TempDir()
		path := filepath.Join(root, "sbin/modprobe")
		if c.there != "" {
			if err := errors.Join(os.Mkdir(filepath.Dir(path), 0o755), os.Symlink(c.there, path)); err != nil {
				t.Fatal(err)
			}
		}
		if err := linkModprobe(root); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got, err := os.Readlink(path); got != c.want {
			t.Errorf("%s: leads to %q, %v; want %q", name, got, err, c.want)
		}
	}
}

// The program of the agent and the shutdown can be run even if /run is remounted with noexec, and
// still exists if its own mount is removed.
func TestMountProgramDir(t *testing.T) {
	nstest.Run(t, unix.CLONE_NEWNS, func() { testProgramDirStays(t) })
}

func testProgramDirStays(t *testing.T) {
	t.Helper()
	run := t.TempDir()
	place := filepath.Join(run, "initramfs")
	program := filepath.Join(place, "shutdown")
	copyOf, err := os.ReadFile("/bin/true")
	if err != nil {
		t.Fatal(err)
	}
	mount := func(what string, flags uintptr) {
		t.Helper()
		if err := unix.Mount("tmpfs", what, "tmpfs", flags, ""); err != nil {
			t.Fatal(err)
		}
	}
	runs := func(want bool) {
		t.Helper()
		if err := exec.CommandContext(t.Context(), program).Run(); (err == nil) != want || err != nil && !errors.Is(err, unix.EACCES) {
			t.Errorf("the program ends with %v", err)
		}
	}
	mount(run, unix.MS_NOSUID|unix.MS_NODEV)
	for range 2 { // the second time it exists
		if err := mountProgramDir(place); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(program, copyOf, 0o755); err != nil {
		t.Fatal(err)
	}
	mount(run, unix.MS_REMOUNT|unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC)
	runs(true)
	mount(place, unix.MS_REMOUNT|unix.MS_BIND|unix.MS_NOEXEC) // as another initrd may have it
	runs(false)
	if err := mountProgramDir(place); err != nil {
		t.Fatal(err)
	}
	runs(true)
	if table, err := os.ReadFile("/proc/self/mounts"); err != nil || strings.Count(string(table), " "+place+" ") != 1 {
		t.Errorf("mounts, %v:\n%s", err, table)
	}
	if err := unix.Unmount(place, 0); err != nil {
		t.Fatal(err)
	}
	runs(false) // by /run's own mount
	mount(run, unix.MS_REMOUNT)
	runs(true)
	if err := unix.Unmount(run, unix.MNT_DETACH); err != nil {
		t.Fatal(err)
	}
}
