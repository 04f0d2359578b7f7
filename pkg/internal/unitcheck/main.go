// Command unitcheck checks the prerequisites of the unit tests, in namespaces like theirs, and
// reports a missing one in one line.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/internal/nstest"
)

// inNamespaces is the argument of the process that looks from inside.
const inNamespaces = "in-namespaces"

func main() {
	check := outside
	if len(os.Args) > 1 && os.Args[1] == inNamespaces {
		check = inside
	}
	if err := check(); err != nil {
		fmt.Fprintln(os.Stderr, "unit:", err)
		os.Exit(1)
	}
}

// outside looks for a C compiler, which the race detector needs, makes namespaces, and looks on in
// them.
func outside() error {
	compiler := os.Getenv("CC")
	if compiler == "" {
		compiler = "gcc"
	}
	if _, err := exec.LookPath(strings.Fields(compiler)[0]); err != nil {
		return fmt.Errorf("a C compiler is missing: install %s", compiler)
	}
	runtime.LockOSThread()
	cmd := nstest.Command("/proc/self/exe", inNamespaces)
	text, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && len(text) > 0:
		return errors.New(strings.TrimPrefix(strings.TrimSpace(string(text)), "unit: "))
	case err != nil:
		return nstest.Explain(err)
	}
	return nil
}

// inside makes what tests make of devices and mounts.
func inside() error {
	dir, err := os.MkdirTemp("", "unitcheck-")
	if err != nil {
		return err
	}
	defer os.Remove(dir)
	la := netlink.NewLinkAttrs()
	la.Name = "veth0"
	for _, need := range []struct {
		what, do string
		try      func() error
	}{
		{"private mounts are missing", "allow mount(2)", func() error { return unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") }},
		{"a tmpfs is missing", "allow mount(2)", func() error { return unix.Mount("test", dir, "tmpfs", 0, "") }},
		{"a sysfs is missing", "let nothing cover parts of /sys, and mount it read-write", func() error { return unix.Mount("test", dir, "sysfs", 0, "") }},
		{"veth devices are missing", "load the module veth", func() error { return netlink.LinkAdd(&netlink.Veth{LinkAttrs: la, PeerName: "veth1"}) }},
		{"bridges are missing", "load the module bridge", func() error { return netlink.LinkAdd(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "br0"}}) }},
		{"/dev/net/tun is missing", "load the module tun, and let this user read and write it", func() error { return tap("tap0") }},
		{"/dev/ptmx is missing", "mount a devpts", func() error { return opens("/dev/ptmx") }},
		{"/dev/null is missing", "mount a /dev", func() error { return opens("/dev/null") }},
	} {
		if err := need.try(); err != nil {
			return fmt.Errorf("%s: %s, or run as root of a host (%w)", need.what, need.do, err)
		}
	}
	return nil
}

func tap(name string) error {
	return netlink.LinkAdd(&netlink.Tuntap{LinkAttrs: netlink.LinkAttrs{Name: name}, Mode: netlink.TUNTAP_MODE_TAP})
}

func opens(path string) error {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err == nil {
		err = unix.Close(fd)
	}
	return err
}
