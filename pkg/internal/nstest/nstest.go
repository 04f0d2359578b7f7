// Package nstest runs a package's tests in namespaces of their own, so that they change neither the
// host's network nor its mounts, and cannot write to its log. A user without the right to make
// namespaces gets them in a user namespace, as its root (user_namespaces(7)).
package nstest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const (
	// inside is the variable that is set in a process that runs in namespaces made here: byRoot
	// or byUser.
	inside = "ISCSIROOT_TEST_INSIDE"
	byRoot = "root"
	byUser = "user"
)

// ErrMissing is wrapped by the error of a host that gives no namespaces.
var ErrMissing = errors.New("namespaces are missing: run as root with CAP_SYS_ADMIN, or allow user namespaces")

// Main runs the tests of a package in a process with a network and mounts of its own, and exits.
// TestMain calls it after its own work for child processes.
func Main(m *testing.M) {
	if os.Getenv(inside) == "" {
		unix.Exit(again()) // at once: os.Exit has the race detector wait a second for races, of which there are none here
	}
	if err := settle(); err != nil {
		fmt.Fprintln(os.Stderr, "nstest:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// User reports whether the namespaces are in a user namespace: operations that need a capability on
// the host fail then.
func User() bool { return os.Getenv(inside) == byUser }

// again runs this program in namespaces and returns its exit status.
func again() int {
	cmd := Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	runtime.LockOSThread()
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "nstest:", Explain(err))
		return 1
	}
	err := cmd.Wait()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit) && exit.Exited():
		return exit.ExitCode()
	}
	fmt.Fprintln(os.Stderr, "nstest: tests:", err)
	return 1
}

// Command is a command that runs in a new network and with new mounts; in a user namespace if this
// process may not make them otherwise. It is killed when the thread that started it ends (prctl(2),
// PR_SET_PDEATHSIG): lock that to its goroutine.
func Command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	attr, by := &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}, byRoot
	if !admin() {
		by = byUser
		attr.Cloneflags |= unix.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}}
	}
	cmd.SysProcAttr = attr
	cmd.Env = append(os.Environ(), inside+"="+by)
	return cmd
}

// Explain makes an [ErrMissing] of the error of a [Command]'s start if that is what it means: no
// permission, a limit of 0 (ENOSPC, namespaces(7)), or a kernel without (EINVAL).
func Explain(err error) error {
	for _, refused := range []error{unix.EPERM, unix.EACCES, unix.ENOSPC, unix.EINVAL} {
		if errors.Is(err, refused) {
			return fmt.Errorf("%w (%w)", ErrMissing, refused)
		}
	}
	return err
}

// admin reports whether this process has CAP_SYS_ADMIN.
func admin() bool {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	return unix.Capget(&head, &data[0]) == nil && data[0].Effective&(1<<unix.CAP_SYS_ADMIN) != 0
}

// settle makes the mounts private, takes the host's log away, and sets lo up, as it is on every
// host.
func settle() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if os.Getenv(partOf) != "" {
		return nil // the rest is done, or its test does it
	}
	if err := unix.Mount("/dev/null", "/dev/kmsg", "", unix.MS_BIND, ""); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("bind /dev/null over /dev/kmsg: %w", err)
	}
	lo, err := netlink.LinkByName("lo")
	if err == nil {
		err = netlink.LinkSetUp(lo)
	}
	if err != nil {
		return fmt.Errorf("set lo up: %w", err)
	}
	return nil
}
