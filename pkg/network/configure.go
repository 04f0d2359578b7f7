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

// minLeasedMTU is the smallest MTU that is accepted from a server: no host is required to
// reassemble packets larger than this (RFC 791 section 3.2).
const minLeasedMTU = 576

// configure applies a lease to a link: address, MTU and routes. What exists already, from an
// earlier attempt, is not an error.
func (a *attempt) configure(ctx context.Context, link netlink.Link, l dhcp.Lease) (dhcp.Lease, error) {
	given := a.net.MTU(true, a.name, a.mac.String()) // prepare has set it
	if mtu := link.Attrs().MTU; given == 0 && !l.V6() && l.MTU >= minLeasedMTU && l.MTU != mtu {
		if err := netlink.LinkSetMTU(link, l.MTU); err != nil {
			l.Ignored = append(l.Ignored, fmt.Sprintf("MTU %d: %v", l.MTU, err))
		}
	}
	switch l.Method {
	case dhcp.Auto6, dhcp.LinkLocal, dhcp.DHCP6Info: // the kernel has added the address
		return l, addRoutes(a.net, link, l.Address, a.boot)
	}
	if err := a.addAddress(ctx, link, l.Address); err != nil {
		return l, err
	}
	return l, a.setRoutes(link, l)
}

// setRoutes adds the routes of the parameters and of a lease.
func (a *attempt) setRoutes(link netlink.Link, l dhcp.Lease) error {
	if err := addRoutes(a.net, link, l.Address, a.boot); err != nil {
		return err
	}
	if l.Method == dhcp.DHCP6 {
		return nil // its routes are the router's, which the kernel has added
	}
	// The default route's next hop may be reached by one of the others.
	for _, last := range []bool{false, true} {
		for _, r := range l.Routes {
			if last != (r.To.Bits() == 0) {
				continue
			}
			if err := a.addRoute(link, l.Address, r); err != nil {
				return fmt.Errorf("add route %s on %s: %w", r, a.name, err)
			}
		}
	}
	return nil
}

// addAddress returns when the address can be used. An IPv6 address can be used immediately if the
// kernel supports optimistic duplicate address detection (RFC 4429), and a second later if it does
// not.
func (a *attempt) addAddress(ctx context.Context, link netlink.Link, p netip.Prefix) error {
	if err := a.setAddress(link, p); err != nil || !p.Addr().Is6() {
		return err
	}
	_, err := dhcp6.WaitAddress(ctx, a.name, func(got netip.Addr) bool { return got == p.Addr() })
	return err
}

// setAddress does not wait until the address can be used.
func (a *attempt) setAddress(link netlink.Link, p netip.Prefix) error {
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
	return nil
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

// onAddress warns when duplicate address detection finds another machine with an address that is in
// use already.
func (n *Network) onAddress(u netlink.AddrUpdate) {
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
