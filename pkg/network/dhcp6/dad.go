package dhcp6

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// DuplicateError says that another machine on the link has the address.
type DuplicateError struct {
	Interface string
	Addr      netip.Addr
}

// Error implements error.
func (e *DuplicateError) Error() string {
	return fmt.Sprintf("another machine on %s has the address %s", e.Interface, e.Addr)
}

// WaitAddress waits until an interface has an address that want accepts and
// that duplicate address detection is done with (RFC 4862 section 5.4): before
// that nothing can be sent from it. It returns a *DuplicateError if the address
// is another's, and ctx's error.
func WaitAddress(ctx context.Context, name string, want func(netip.Addr) bool) (netip.Addr, error) {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("wait for an address on %s: %w", name, err)
	}
	updates, done := make(chan netlink.AddrUpdate, 64), make(chan struct{})
	defer close(done)
	err = netlink.AddrSubscribeWithOptions(updates, done, netlink.AddrSubscribeOptions{ListExisting: true})
	for err == nil {
		select {
		case u, open := <-updates:
			if !open { // what else is wrong does not end it
				err = errors.New("the kernel tells no more")
				continue
			}
			a, _ := netip.AddrFromSlice(u.LinkAddress.IP)
			a = a.Unmap()
			if !u.NewAddr || u.LinkIndex != i.Index || !want(a) {
				continue
			}
			switch {
			case u.Flags&unix.IFA_F_DADFAILED != 0:
				return netip.Addr{}, &DuplicateError{name, a}
			case u.Flags&unix.IFA_F_TENTATIVE == 0 || u.Flags&unix.IFA_F_OPTIMISTIC != 0:
				return a, nil
			}
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	return netip.Addr{}, fmt.Errorf("wait for an address on %s: %w", name, err)
}

// LinkLocal is a want of WaitAddress.
func LinkLocal(a netip.Addr) bool { return a.Is6() && a.IsLinkLocalUnicast() }

// Within makes a want of WaitAddress: an address of that network.
func Within(p netip.Prefix) func(netip.Addr) bool {
	return func(a netip.Addr) bool { return p.Contains(a) }
}
