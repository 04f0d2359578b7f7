package nstest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { Main(m) }

// interfaces are the names of the network's devices, and which of them are up.
func interfaces(t *testing.T) (names, up []string) {
	t.Helper()
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range all {
		names = append(names, i.Name)
		if i.Flags&net.FlagUp != 0 {
			up = append(up, i.Name)
		}
	}
	return names, up
}

// Tests are root of a network with nothing but lo in it, which is up, and have mounts of their own;
// what they log is lost.
func TestInside(t *testing.T) {
	if _, up := interfaces(t); !slices.Equal(up, []string{"lo"}) {
		t.Errorf("up are %q", up)
	}
	dir := t.TempDir()
	if err := errors.Join(unix.Mount("test", dir, "tmpfs", 0, ""), unix.Unmount(dir, 0)); err != nil {
		t.Error(err)
	}
	var null, kmsg unix.Stat_t
	if err := errors.Join(unix.Stat("/dev/null", &null), unix.Stat("/dev/kmsg", &kmsg)); err != nil || null.Rdev != kmsg.Rdev {
		t.Errorf("/dev/kmsg is device %#x, %v", kmsg.Rdev, err)
	}
	for _, kind := range []string{"net", "mnt"} {
		own, err := os.Readlink("/proc/self/ns/" + kind)
		parent, perr := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", os.Getppid(), kind))
		if User() && errors.Is(perr, unix.EACCES) {
			continue // it is in another user namespace
		}
		if err := errors.Join(err, perr); err != nil || own == parent {
			t.Errorf("namespace %s of the process that started this one: %v", own, err)
		}
	}
	if os.Geteuid() != 0 || User() != (os.Getenv(inside) == byUser) {
		t.Errorf("user %d", os.Geteuid())
	}
}

// What Run runs is in new namespaces, and its mounts are not those of the test.
func TestRun(t *testing.T) {
	t.Run("a subtest (of some name)", func(t *testing.T) {
		Run(t, unix.CLONE_NEWNET|unix.CLONE_NEWNS, func() {
			if _, up := interfaces(t); len(up) != 0 {
				t.Errorf("up are %q", up)
			}
			if err := unix.Mount("test", "/mnt", "tmpfs", 0, ""); err != nil {
				t.Error(err)
			}
		})
	})
	t.Cleanup(func() { // when the subtest has ended
		table, err := os.ReadFile("/proc/self/mounts")
		if err != nil || strings.Contains(string(table), "test /mnt ") != (os.Getenv(partOf) != "") {
			t.Errorf("mounted, %v:\n%s", err, table)
		}
	})
}

// A child plays its part of its own test alone.
func TestChild(t *testing.T) {
	if part := Part(t); part != "" {
		fmt.Printf("plays %q\n", part)
		return
	}
	out, err := Child(t, "of two words", 0).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "plays \"of two words\"\n") || strings.Count(string(out), "=== RUN") != 1 {
		t.Errorf("%v: %s", err, out)
	}
}

func TestPattern(t *testing.T) {
	if got, want := pattern("TestA/b.c/d"), `^TestA$/^b\.c$/^d$`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestExplain(t *testing.T) {
	for _, refusal := range []error{unix.EPERM, unix.ENOSPC, &os.PathError{Op: "fork/exec", Path: "x", Err: unix.EINVAL}} {
		if err := Explain(refusal); !errors.Is(err, ErrMissing) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v: %v", refusal, err)
		}
	}
	if err := Explain(unix.ENOMEM); !errors.Is(err, unix.ENOMEM) || errors.Is(err, ErrMissing) {
		t.Errorf("another error: %v", err)
	}
}
