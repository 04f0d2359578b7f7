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

// link is a link that matches a line, or did.
type link struct {
	netlink.Link
	name        string
	index       int
	mac         net.HardwareAddr
	broughtUp   bool // set up by this program, which sets it down again if it gets no address
	addressed   bool // a line has begun to give it an address
	up          bool // administratively
	carrier     bool
	settled     bool        // the carrier has been up for carrierSettle
	settleTimer *time.Timer // runs until settled
	upError     string      // the error of setting it up
}

// carrierSettle is how long a new carrier must be up. Drivers register a device with its carrier on
// and clear it right afterwards, before they have queried the hardware (drivers/net/virtio_net.c:
// virtnet_probe), and the events of that moment show a carrier.
const carrierSettle = 30 * time.Millisecond

// update applies a message about the link.
func (l *link) update(u netlink.LinkUpdate) {
	attrs := u.Attrs()
	l.Link, l.name, l.mac = u.Link, attrs.Name, attrs.HardwareAddr
	l.up = attrs.RawFlags&unix.IFF_UP != 0
	l.carrier = l.up && attrs.RawFlags&unix.IFF_LOWER_UP != 0
	if !l.carrier {
		l.resetCarrier()
	}
}

func (l *link) resetCarrier() {
	l.settled = false
	if l.settleTimer != nil {
		l.settleTimer.Stop()
		l.settleTimer = nil
	}
}

// setUpAfterProbe sets a link up once its driver's probe has ended, unless ctx has ended. A link
// that has disappeared is not an error: RTM_DELLINK follows.
func setUpAfterProbe(ctx context.Context, sys string, link netlink.Link) error {
	if waitProbe(openProbe(sys, link.Attrs().Name)); ctx.Err() != nil {
		return nil
	}
	if err := setUp(link); err != nil && !errors.Is(err, unix.ENODEV) {
		return err
	}
	return nil
}

// setDown sets a link down, which removes its IPv6 addresses and its routes.
func setDown(link netlink.Link) {
	_ = netlink.LinkSetDown(link) // at worst it stays up without an address
}

// deleteAddresses removes a link's addresses other than the link-local ones.
func deleteAddresses(link netlink.Link) {
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

// hardware reports whether an interface is hardware. A software device, such as a VLAN, can have
// the MAC of its parent, but has no device in sysfs.
func hardware(sys, name string) bool {
	_, err := os.Stat(filepath.Join(sys, name, "device"))
	return err == nil
}

// pciAddress returns the address of an interface's PCI device, as 0000:00:03.0; empty if there is
// none. A virtio interface is a child of such a device.
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
