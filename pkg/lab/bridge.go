package lab

import (
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
)

// Bridge joins taps, so that machines reach the host's side and each other.
type Bridge struct {
	ns   *Namespace
	name string
}

// AddBridge makes a bridge that is up and has the addresses. It forwards from the first moment,
// without spanning tree. Names are at most 15 bytes (IFNAMSIZ in linux/if.h).
func (ns *Namespace) AddBridge(name string, addrs ...netip.Prefix) (*Bridge, error) {
	err := ns.Do(func() error {
		link := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: name}}
		if err := netlink.LinkAdd(link); err != nil {
			return err
		}
		return addAndUp(link, addrs)
	})
	if err != nil {
		return nil, fmt.Errorf("add bridge %s: %w", name, err)
	}
	return &Bridge{ns: ns, name: name}, nil
}

// addAndUp gives a new link its addresses and sets it up.
func addAndUp(link netlink.Link, addrs []netip.Prefix) error {
	for _, a := range addrs {
		if err := netlink.AddrAdd(link, hostAddr(a)); err != nil {
			return fmt.Errorf("address %s: %w", a, err)
		}
	}
	return netlink.LinkSetUp(link)
}

// AddTap makes a tap whose wire ends in the bridge.
func (b *Bridge) AddTap(name string) (*Tap, error) {
	tap, err := b.ns.AddTap(name)
	if err != nil {
		return nil, err
	}
	err = b.ns.Do(func() error {
		port, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		bridge, err := netlink.LinkByName(b.name)
		if err != nil {
			return err
		}
		return netlink.LinkSetMaster(port, bridge)
	})
	if err != nil {
		return nil, fmt.Errorf("add tap %s to bridge %s: %w", name, b.name, err)
	}
	return tap, nil
}
