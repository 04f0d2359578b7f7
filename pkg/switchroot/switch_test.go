package switchroot

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/internal/nstest"
	"github.com/iscsiroot/iscsiroot/pkg/internal/vmtest"
)

// childName is argv[0] of the process that switches, as PID 1 of a namespace.
const childName = "switchroot-test-child"

func TestMain(m *testing.M) {
	if os.Args[0] == childName {
		fmt.Println("child:", child(os.Args[1], os.Args[2]))
		os.Exit(0)
	}
	vmtest.Main()
	nstest.Main(m)
}

// report is the program that plays the new init. It is built once.
var report = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "report-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	build := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(dir, "report"), "./testdata/report")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build: %w\n%s", err, text)
	}
	return os.ReadFile(filepath.Join(dir, "report"))
})

// switchIn runs child in namespaces of its own and returns what it and the init printed.
func switchIn(t *testing.T, scenario string) string {
	t.Helper()
	dir := t.TempDir()
	program, err := report()
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "report"), program, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := &exec.Cmd{
		Path: exe, Args: []string{childName, scenario, dir}, Env: []string{"LEFT=1", "GORACE=atexit_sleep_ms=0"},
		SysProcAttr: &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID, Pdeathsig: syscall.SIGKILL},
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: run as root\n%s", err, out)
	}
	return string(out)
}

// child makes an initramfs with a root mounted in it and switches.
func child(scenario, dir string) error {
	if os.Getpid() != 1 {
		return errors.New("not in a namespace of its own")
	}
	if err := initramfs(dir); err != nil {
		return err
	}
	t := Target{Dir: "/sysroot", Init: "/sbin/init", Args: []string{"single", "a b"}, Env: []string{"TERM=linux", "A=b c"}}
	switch scenario {
	case "no run":
		if err := unix.Mount("", "/sysroot", "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
			return err
		}
	case "no init":
		t.Init = "/sbin/none"
	case "no initramfs":
		if err := unix.Chroot("/proc"); err != nil {
			return err
		}
	}
	var err error
	if t.MountPoints, err = MountPoints(t.Dir, "root"); err != nil && scenario != "no initramfs" {
		return err
	}
	if scenario == "no place" {
		if err := os.Remove("/sysroot/proc"); err != nil {
			return err
		}
	}
	err = Switch(t, func() { fmt.Println("freed") })
	left, _ := os.ReadDir("/")
	return fmt.Errorf("%w; in /: %v", err, left)
}

// initramfs makes a tmpfs the root, as the kernel leaves it to /init, with a new root at /sysroot.
// Descriptors 10 and 11 are the initramfs and what is mounted in it, and stay open in the new init.
func initramfs(dir string) error {
	report, err := os.ReadFile(filepath.Join(dir, "report"))
	if err != nil {
		return err
	}
	for _, f := range []func() error{
		func() error { return unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") },
		func() error { return unix.Mount("initramfs", dir, "tmpfs", 0, "") },
		func() error { return os.Chdir(dir) },
		func() error { return os.Mkdir("outside", 0o755) },
		func() error { return unix.PivotRoot(".", "outside") },
		func() error { return os.Chdir("/") },
		func() error { return mountAt("/dev", "tmpfs") },
		func() error { return mountAt("/proc", "proc") },
		// Only now: a user namespace allows a proc where one is in sight (fs/namespace.c:
		// mount_too_revealing).
		func() error { return unix.Unmount("/outside", unix.MNT_DETACH) },
		func() error { return mountAt("/sys", "tmpfs") },
		func() error { return mountAt("/run", "tmpfs") },
		func() error { return mountAt("/other", "tmpfs") },
		func() error { return mountAt("/sysroot", "tmpfs") },
		func() error { return fill(report) },
		func() error { return keep("/", 10) },
		func() error { return keep("/other", 11) },
	} {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

func mountAt(dir, fstype string) error {
	return errors.Join(os.MkdirAll(dir, 0o755), unix.Mount(fstype, dir, fstype, 0, ""))
}

// fill puts files into the initramfs and the new root.
func fill(report []byte) error {
	for _, dir := range []string{"/lib/modules/a/b", "/empty", "/sysroot/sbin", "/sysroot/dev", "/sysroot/proc", "/sysroot/sys", "/sysroot/etc"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	return errors.Join(
		os.WriteFile("/init", report, 0o755),
		os.WriteFile("/lib/modules/a/b/c.ko", report, 0o400),
		os.WriteFile("/other/kept", nil, 0o644),
		os.WriteFile("/run/moved", nil, 0o644),
		os.WriteFile("/dev/moved", nil, 0o644),
		os.WriteFile("/sysroot/etc/fstab", nil, 0o644),
		os.WriteFile("/sysroot/sbin/init", report, 0o755),
		os.Symlink("/sysroot/etc", "/link"),
		special("/null"),
	)
}

// special makes a device node; a FIFO where user namespaces allow no devices.
func special(path string) error {
	err := unix.Mknod(path, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3)))
	if errors.Is(err, unix.EPERM) {
		err = unix.Mkfifo(path, 0o666)
	}
	return err
}

func keep(dir string, fd int) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return unix.Dup3(int(f.Fd()), fd, 0)
}

// shows checks that the output has these lines.
func shows(t *testing.T, out string, lines ...string) {
	t.Helper()
	for _, want := range lines {
		if !strings.Contains("\n"+out, "\n"+want+"\n") {
			t.Errorf("no line %q", want)
		}
	}
	if t.Failed() {
		t.Logf("output:\n%s", out)
	}
}

// The new init is PID 1, has its arguments, its environment and all mounts, and the initramfs is
// empty except for the mount in it.
func TestSwitch(t *testing.T) {
	out := switchIn(t, "switch")
	shows(t, out,
		"freed", "pid 1", `argv ["/sbin/init" "single" "a b"]`, `env ["TERM=linux" "A=b c"]`, "cwd / <nil>",
		"in /: [d dev/ d etc/ d proc/ d run/ d sbin/ d sys/] <nil>",
		"in /dev: [- moved] <nil>", "in /run: [- moved] <nil>",
		"initramfs: [other] <nil>", "other: [kept] <nil>",
		"mount / tmpfs", "mount /dev tmpfs", "mount /proc proc", "mount /sys tmpfs", "mount /run tmpfs", "mounts: <nil>",
	)
	if n := strings.Count(out, "\nmount /"); n != 5 {
		t.Errorf("%d mounts are in sight\n%s", n, out)
	}
}

// A root without /run is switched to without it.
func TestSwitchWithoutRun(t *testing.T) {
	out := switchIn(t, "no run")
	shows(t, out,
		"freed", "pid 1", "in /: [d dev/ d etc/ d proc/ d sbin/ d sys/] <nil>",
		"in /run: [] open /run: no such file or directory", "initramfs: [other] <nil>", "in /dev: [- moved] <nil>",
	)
}

// A root that is not an initramfs is not emptied.
func TestSwitchNoInitramfs(t *testing.T) {
	out := switchIn(t, "no initramfs")
	if !strings.HasPrefix(out, "child: switch root: the root in use is not an initramfs; in /: [d 1/") {
		t.Errorf("got %s", out)
	}
}

// If a mount cannot be moved, the initramfs still has everything.
func TestSwitchNoPlace(t *testing.T) {
	out := switchIn(t, "no place")
	if !strings.HasPrefix(out, "child: move mount /proc: no such file or directory; in /: [") ||
		!strings.Contains(out, "- init") || !strings.Contains(out, "d lib/") || strings.Contains(out, "freed") {
		t.Errorf("got %s", out)
	}
}

// An init that cannot be executed is an error.
func TestSwitchNoInit(t *testing.T) {
	out := switchIn(t, "no init")
	if !strings.HasPrefix(out, "freed\nchild: exec /sbin/none: no such file or directory; in /: [d dev/ d etc/") {
		t.Errorf("got %s", out)
	}
}
