//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/modload"
	"github.com/iscsiroot/iscsiroot/pkg/network/rtwatch"
)

func mountAll() error {
	for _, m := range []struct{ kind, dir string }{{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}, {"tmpfs", "/var"}} {
		if err := os.MkdirAll(m.dir, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m.kind, m.dir, m.kind, 0, ""); err != nil {
			return fmt.Errorf("mount %s: %w", m.dir, err)
		}
	}
	return os.MkdirAll("/var/target/alua", 0o700) // where LIO keeps the state that SCSI requires to be persistent
}

// loadModules loads the drivers of the machine's devices and then the named modules, and mounts
// configfs.
func loadModules(ctx context.Context, names []string) error {
	release, err := modload.Release()
	if err != nil {
		return err
	}
	loader, _, err := modload.Open("/", release, bootspec.Modules{}, nil)
	if err != nil {
		return err
	}
	for _, name := range names {
		var missing *modload.MissingError
		if err := loader.Load(ctx, name); err != nil && !errors.As(err, &missing) { // a missing module is built in, or its device will be missing
			return err
		}
	}
	if err := unix.Mount("configfs", configRoot, "configfs", 0, ""); err != nil {
		return fmt.Errorf("mount configfs: %w", err)
	}
	return nil
}

// setUpNetwork gives their addresses to the Ethernet devices.
func setUpNetwork(addrs [][]netip.Prefix) error {
	lo, err := netlink.LinkByName("lo")
	if err == nil {
		err = netlink.LinkSetUp(lo)
	}
	if err != nil {
		return fmt.Errorf("set lo up: %w", err)
	}
	for i, a := range addrs {
		if err := setUpLink("eth"+strconv.Itoa(i), a); err != nil {
			return err
		}
	}
	return nil
}

func setUpLink(name string, addrs []netip.Prefix) error {
	eth, err := waitLink(name)
	if err != nil {
		return err
	}
	for _, p := range addrs {
		a := &netlink.Addr{IPNet: rtwatch.IPNet(p)}
		if p.Addr().Is6() {
			a.Flags = unix.IFA_F_NODAD
		}
		if err := netlink.AddrAdd(eth, a); err != nil {
			return fmt.Errorf("address %s: %w", p, err)
		}
	}
	if err := netlink.LinkSetUp(eth); err != nil {
		return fmt.Errorf("set %s up: %w", name, err)
	}
	return nil
}

// waitLink waits for a device that its driver is about to make.
func waitLink(name string) (netlink.Link, error) {
	for range 500 {
		if link, err := netlink.LinkByName(name); err == nil {
			return link, nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return nil, fmt.Errorf("no device %s", name)
}

// waitDisk waits for a disk's node.
func waitDisk(path string) error {
	for range 500 {
		if _, err := os.Stat(path); err == nil {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	there, _ := filepath.Glob("/dev/vd*")
	slices.Sort(there)
	return fmt.Errorf("disk %s: %w: there is %v", path, fs.ErrNotExist, there)
}
