package lab

import (
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/network/rtwatch"
)

// Tap is the host side of a virtual wire: QEMU holds the other end.
type Tap struct {
	ns   *Namespace
	name string
}

// AddTap makes a tap device that is up and has the addresses. Names are at most 15 bytes (IFNAMSIZ
// in linux/if.h).
func (ns *Namespace) AddTap(name string, addrs ...netip.Prefix) (*Tap, error) {
	err := ns.Do(func() error {
		link := &netlink.Tuntap{LinkAttrs: netlink.LinkAttrs{Name: name}, Mode: netlink.TUNTAP_MODE_TAP}
		if err := netlink.LinkAdd(link); err != nil {
			return err
		}
		return addAndUp(link, addrs)
	})
	if err != nil {
		return nil, fmt.Errorf("add tap %s: %w", name, err)
	}
	return &Tap{ns: ns, name: name}, nil
}

// hostAddr skips duplicate address detection: a listener could not bind the address for a second or
// two.
func hostAddr(p netip.Prefix) *netlink.Addr {
	addr := &netlink.Addr{IPNet: rtwatch.IPNet(p)}
	if p.Addr().Is6() {
		addr.Flags = unix.IFA_F_NODAD
	}
	return addr
}

// Name is the device's name inside the namespace.
func (t *Tap) Name() string { return t.name }

// SetUp sets the host side up or down: down, frames are lost, but the guest keeps its carrier. See
// [Machine.SetLink] for a pulled cable.
func (t *Tap) SetUp(up bool) error {
	err := t.ns.Do(func() error {
		link, err := netlink.LinkByName(t.name)
		if err != nil {
			return err
		}
		if up {
			return netlink.LinkSetUp(link)
		}
		return netlink.LinkSetDown(link)
	})
	if err != nil {
		return fmt.Errorf("set tap %s: %w", t.name, err)
	}
	return nil
}
