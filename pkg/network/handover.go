package network

import (
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

// OtherNICs returns the NICs that lead to an address in addition to the one that the kernel uses:
// the address is in their networks, or behind one of their routers.
func (n *Network) OtherNICs(to netip.Addr) []string {
	leases := n.Leases()
	if len(leases) < 2 {
		return nil
	}
	first := n.NICTo(to)
	var out []string
	for _, l := range leases {
		if l.Interface != first && leads(&l, to) && !slices.Contains(out, l.Interface) {
			out = append(out, l.Interface)
		}
	}
	return out
}

// NICTo returns the NIC over which the kernel sends to an address; "": none. It connects a UDP
// socket, which sends nothing, and reads its source address.
func (n *Network) NICTo(to netip.Addr) string {
	const anyPort = 9
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(to, anyPort)))
	if err != nil {
		return ""
	}
	defer func() { _ = conn.Close() }()
	return n.NICOf(conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap())
}

// NICOf returns the NIC that has an address; "": none.
func (n *Network) NICOf(a netip.Addr) string {
	if a.Zone() != "" {
		return a.Zone()
	}
	for _, l := range n.Leases() {
		if l.Address.Addr() == a {
			return l.Interface
		}
	}
	all, _ := netlink.AddrList(nil, netlink.FAMILY_ALL) // without the list no NIC is found
	for i := range all {
		if !all[i].IP.Equal(a.AsSlice()) {
			continue
		}
		if link, err := netlink.LinkByIndex(all[i].LinkIndex); err == nil {
			return link.Attrs().Name
		}
	}
	return ""
}

// Pin adds a route to an address over the NIC on which it was reached, to the kernel and to the
// NIC's lease.
func (n *Network) Pin(to netip.Addr, nic string) error {
	route := dhcp.Route{To: netip.PrefixFrom(to, to.BitLen())}
	n.mu.Lock()
	var lease *dhcp.Lease
	for _, list := range [][]*dhcp.Lease{n.leases, n.joined} {
		for _, l := range list {
			if l != nil && l.Interface == nic && leads(l, to) {
				lease = l
			}
		}
	}
	if lease == nil {
		n.mu.Unlock()
		return fmt.Errorf("add route to %s on %s: it has no address that leads there", to, nic)
	}
	if !lease.Address.Contains(to) {
		route.Via = via(lease, to)
	}
	if !slices.Contains(lease.Routes, route) {
		lease.Routes = append(slices.Clip(lease.Routes), route)
	}
	own := lease.Address
	n.mu.Unlock()
	if err := replaceRoute(nic, own, route, 0); err != nil {
		return fmt.Errorf("add route %s on %s: %w", route, nic, err)
	}
	return nil
}

// replaceRoute sets a route on a NIC that has an address.
func replaceRoute(nic string, own netip.Prefix, r dhcp.Route, metric int) error {
	link, err := netlink.LinkByName(nic)
	if err != nil {
		return err
	}
	return (&attempt{name: nic, metric: metric}).addRoute(link, own, r)
}

// via is the next hop to an address, by the longest of a lease's routes.
func via(lease *dhcp.Lease, to netip.Addr) (hop netip.Addr) {
	bits := -1
	for _, r := range lease.Routes {
		if r.To.Contains(to) && r.To.Bits() > bits {
			hop, bits = r.Via, r.To.Bits()
		}
	}
	return hop
}

// HandOver stops, and leaves up what the real system is to keep: the NICs of the sessions, and
// those that the plan names. Further NICs are left as they were found, for the real system to
// configure as if they were new. The first of nics is that of root's session: its default route
// takes precedence, and its lease comes first. Without nics all that are up stay up.
func (n *Network) HandOver(nics []string) {
	n.Stop()
	if n == nil || len(nics) == 0 {
		return
	}
	for _, ln := range n.lines {
		for _, l := range n.links {
			if !ln.everyNIC() || !ln.has(l) || slices.Contains(nics, l.name) {
				continue
			}
			n.mu.Lock()
			if j := ln.joined[l.index]; j != nil {
				n.dropLease(j)
			} else {
				n.leases[ln.index] = nil
			}
			n.mu.Unlock()
			n.takeBack(ln, l)
		}
	}
	n.finish()
	n.mu.Lock()
	n.root = nics[0]
	n.mu.Unlock()
	if err := prefer(n.Leases()); err != nil {
		n.warn(err.Error())
	}
}

// prefer gives the first lease's IPv4 default route precedence over those of the others. For IPv6
// the routers advertise their preference (RFC 4191).
func prefer(leases []dhcp.Lease) error {
	for i := range leases {
		l := &leases[i]
		via, metric := l.Gateway(), firstMetric+i
		switch {
		case !via.Is4() && i == 0:
			return nil
		case !via.Is4():
			continue
		case i == 0:
			metric = 0
		}
		route := dhcp.Route{To: netip.PrefixFrom(netip.IPv4Unspecified(), 0), Via: via}
		if err := replaceRoute(l.Interface, l.Address, route, metric); err != nil {
			return fmt.Errorf("add default route on %s: %w", l.Interface, err)
		}
		dropDefaults(l.Interface, metric)
	}
	return nil
}

// dropDefaults removes a NIC's default routes with other metrics. At worst one remains, with a
// lower precedence.
func dropDefaults(nic string, metric int) {
	link, err := netlink.LinkByName(nic)
	if err != nil {
		return
	}
	filter := &netlink.Route{LinkIndex: link.Attrs().Index}
	old, err := netlink.RouteListFiltered(netlink.FAMILY_V4, filter, netlink.RT_FILTER_OIF)
	for i := range old {
		if r := &old[i]; err == nil && r.Priority != metric && isDefault(r.Dst) {
			_ = netlink.RouteDel(r)
		}
	}
}

// isDefault reports whether a route's destination is everything, and not 0.0.0.0/1.
func isDefault(dst *net.IPNet) bool {
	if dst == nil {
		return true
	}
	bits, _ := dst.Mask.Size()
	return bits == 0
}
