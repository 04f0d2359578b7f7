package recovery

import (
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// watchNetwork returns a channel that tells when something came up that a
// connection may have waited for: a carrier, an address, a neighbour.
func watchNetwork() (<-chan struct{}, error) {
	up := make(chan struct{}, 1)
	tell := func() {
		select {
		case up <- struct{}{}:
		default:
		}
	}
	links := make(chan netlink.LinkUpdate, 16)
	addrs := make(chan netlink.AddrUpdate, 16)
	neighbours := make(chan netlink.NeighUpdate, 16)
	done := make(chan struct{}) // never closed: the worker ends as a whole
	if err := netlink.LinkSubscribe(links, done); err != nil {
		return up, fmt.Errorf("subscribe links: %w", err)
	}
	if err := netlink.AddrSubscribe(addrs, done); err != nil {
		return up, fmt.Errorf("subscribe addresses: %w", err)
	}
	if err := netlink.NeighSubscribe(neighbours, done); err != nil {
		return up, fmt.Errorf("subscribe neighbours: %w", err)
	}
	go func() {
		for {
			select {
			case u := <-links:
				if u.Attrs().RawFlags&unix.IFF_LOWER_UP != 0 {
					tell()
				}
			case u := <-addrs:
				if u.NewAddr {
					tell()
				}
			case u := <-neighbours:
				if u.Type == unix.RTM_NEWNEIGH && u.State&netlink.NUD_REACHABLE != 0 {
					tell()
				}
			}
		}
	}()
	return up, nil
}
