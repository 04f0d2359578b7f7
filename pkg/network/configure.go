package network

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp6"
	"github.com/iscsiroot/iscsiroot/pkg/network/rtwatch"
)

// minLeasedMTU is the smallest MTU that a server's word is taken for: with less
// no host need be able to reassemble what we send (RFC 791 section 3.2).
const minLeasedMTU = 576

// configure gives a link what a lease says: address, MTU and routes. What is
// there already, from an earlier try, is no error.
func (a *attempt) configure(ctx context.Context, link netlink.Link, l dhcp.Lease) (dhcp.Lease, error) {
	given := a.net.MTU(true, a.name, a.mac.String()) // the link has it already
	if mtu := link.Attrs().MTU; given == 0 && !l.V6() && l.MTU >= minLeasedMTU && l.MTU != mtu {
		if err := netlink.LinkSetMTU(link, l.MTU); err != nil {
			l.Ignored = append(l.Ignored, fmt.Sprintf("MTU %d: %v", l.MTU, err))
		}
	}
	switch l.Method {
	case dhcp.Auto6, dhcp.LinkLocal, dhcp.DHCP6Info: // the kernel's own
		return l, addRoutes(a.net, link, l.Address, a.boot)
	}
	if err := a.addAddress(ctx, link, l.Address); err != nil {
		return l, err
	}
	if err := addRoutes(a.net, link, l.Address, a.boot); err != nil {
		return l, err
	}
	if l.Method == dhcp.DHCP6 {
		return l, nil // its routes are the router's, which the kernel has
	}
	// The default route's next hop may be reached by one of the others.
	for _, last := range []bool{false, true} {
		for _, r := range l.Routes {
			if last != (r.To.Bits() == 0) {
				continue
			}
			if err := a.addRoute(link, l.Address, r); err != nil {
				return l, fmt.Errorf("add route %s on %s: %w", r, a.name, err)
			}
		}
	}
	return l, nil
}

// addAddress returns when the address can be used. Of IPv6 that is at once
// where the kernel can let duplicate address detection go on beside it
// (RFC 4429), and a second later where it cannot.
func (a *attempt) addAddress(ctx context.Context, link netlink.Link, p netip.Prefix) error {
	addr := &netlink.Addr{IPNet: rtwatch.IPNet(p)}
	if a.Peer.IsValid() && p == a.Address {
		addr.Peer = rtwatch.IPNet(a.Peer)
	}
	if p.Addr().Is6() && optimistic(a.name) {
		addr.Flags = unix.IFA_F_OPTIMISTIC
	}
	if err := netlink.AddrReplace(link, addr); err != nil {
		return fmt.Errorf("add address %s to %s: %w", p, a.name, err)
	}
	if !p.Addr().Is6() {
		return nil
	}
	_, err := dhcp6.WaitAddress(ctx, a.name, func(got netip.Addr) bool { return got == p.Addr() })
	return err
}

func (a *attempt) addRoute(link netlink.Link, own netip.Prefix, r dhcp.Route) error {
	route := &netlink.Route{LinkIndex: link.Attrs().Index, Dst: rtwatch.IPNet(r.To), Priority: a.metric}
	if r.Via.IsValid() {
		route.Gw = net.IP(r.Via.AsSlice())
		if !own.Contains(r.Via) && !r.Via.IsLinkLocalUnicast() {
			route.Flags = int(netlink.FLAG_ONLINK)
		}
	} else {
		route.Scope = netlink.SCOPE_LINK
	}
	return netlink.RouteReplace(route)
}

// sawAddress tells when duplicate address detection finds another machine with
// an address that is in use already.
func (n *Network) sawAddress(u netlink.AddrUpdate) {
	if !u.NewAddr || u.Flags&unix.IFA_F_DADFAILED == 0 {
		return
	}
	a, _ := netip.AddrFromSlice(u.LinkAddress.IP)
	for _, l := range n.links {
		if l.index == u.LinkIndex {
			n.warn((&dhcp6.DuplicateError{Interface: l.name, Addr: a}).Error())
		}
	}
}
