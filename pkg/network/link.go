package network

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// link is one that a line wants, or did.
type link struct {
	netlink.Link
	name    string
	index   int
	mac     net.HardwareAddr
	raised  bool // we have set it up, and take it down again if nothing comes of it
	given   bool // a line has begun to give it an address, which flush takes away
	up      bool // administratively
	carrier bool
	steady  bool        // the carrier has lasted
	timer   *time.Timer // until it has
	trouble string      // why it cannot be set up
}

// settle is for how long a new carrier must last. Drivers register a device
// with its carrier on and take it off right afterwards, before they have asked
// the hardware (drivers/net/virtio_net.c: virtnet_probe), and the events of
// that moment look like a link.
const settle = 30 * time.Millisecond

// update takes a message about the link in.
func (l *link) update(u netlink.LinkUpdate) {
	attrs := u.Attrs()
	l.Link, l.name, l.mac = u.Link, attrs.Name, attrs.HardwareAddr
	l.up = attrs.RawFlags&unix.IFF_UP != 0
	l.carrier = l.up && attrs.RawFlags&unix.IFF_LOWER_UP != 0
	if !l.carrier {
		l.unsettle()
	}
}

func (l *link) unsettle() {
	l.steady = false
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
}

// raise sets a link up as soon as it can be, if that is still wanted then. One
// that went meanwhile is no error: its message follows.
func raise(ctx context.Context, sys string, link netlink.Link) error {
	if waitProbe(openProbe(sys, link.Attrs().Name)); ctx.Err() != nil {
		return nil
	}
	if err := setUp(link); err != nil && !errors.Is(err, unix.ENODEV) {
		return err
	}
	return nil
}

// lower sets a link down, which takes its IPv6 addresses and its routes away.
func lower(link netlink.Link) {
	_ = netlink.LinkSetDown(link) // at worst it stays up without an address
}

// flush takes a link's addresses away.
func flush(link netlink.Link) {
	addrs, err := netlink.AddrList(link, netlink.FAMILY_ALL)
	if err != nil {
		return
	}
	for _, a := range addrs {
		if a.Scope != unix.RT_SCOPE_LINK {
			_ = netlink.AddrDel(link, &a) // at worst there is one too many
		}
	}
}

// hardware tells a piece of hardware from a software device, such as a VLAN,
// which has the MAC of what it is on: software devices have no device in sysfs.
func hardware(sys, name string) bool {
	_, err := os.Stat(filepath.Join(sys, name, "device"))
	return err == nil
}

// pciAddress returns the address of an interface's PCI device, as 0000:00:03.0;
// empty if there is none. A virtio interface is a device on such a one.
func pciAddress(sys, name string) string {
	path, err := filepath.EvalSymlinks(filepath.Join(sys, name, "device"))
	if err != nil {
		return ""
	}
	for ; len(path) > 1; path = filepath.Dir(path) {
		if base := filepath.Base(path); isPCIDevice(base) {
			return base
		}
	}
	return ""
}
