package network

import (
	"net/netip"
	"slices"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

// enough returns the leases if the machine can go on by them; mu is held. One
// is enough where the NICs are not named. Of several lines all are waited for,
// for a while, unless each target is in the network of a lease already. Where
// DHCP is to name the target, an answer that does is waited for: as long as a
// switch port can take, if there is no target without it.
func (n *Network) enough() ([]dhcp.Lease, bool) {
	leases := n.present()
	all := !slices.Contains(n.leases, nil)
	switch {
	case len(leases) == 0:
		return nil, false
	case n.cfg.WantRootPath && leases[0].RootPath != "":
		return leases, true
	case n.cfg.WantRootPath:
		longer := n.pending && n.cfg.NeedRootPath
		return leases, all && (!n.possible || n.pathless || n.dark && !longer)
	case all:
		return leases, !n.pending || n.late || n.usable(leases)
	}
	return leases, n.late || n.cfg.Complete && n.onLink(leases)
}

// present lists the leases that there are; mu is held. That which names the
// target comes first where it is wanted, and in the end that of root's session.
func (n *Network) present() []dhcp.Lease {
	first := func(l *dhcp.Lease) bool {
		if n.root != "" {
			return l.Interface == n.root
		}
		return n.cfg.WantRootPath && l.RootPath != ""
	}
	var front, rest []dhcp.Lease
	for _, list := range [][]*dhcp.Lease{n.leases, n.joined} {
		for _, l := range list {
			switch {
			case l == nil:
			case len(front) == 0 && first(l):
				front = append(front, *l)
			default:
				rest = append(rest, *l)
			}
		}
	}
	return append(front, rest...)
}

// usable tells whether any target can be reached: its network is that of a
// lease, or a lease has a route to it. Names may lead anywhere.
func (n *Network) usable(leases []dhcp.Lease) bool {
	known := false
	for _, portals := range n.cfg.Targets {
		known = known || len(portals) > 0
		if reached(portals, leases, leads) {
			return true
		}
	}
	return !known
}

// onLink tells whether each target is in the network of a lease.
func (n *Network) onLink(leases []dhcp.Lease) bool {
	for _, portals := range n.cfg.Targets {
		if !reached(portals, leases, func(l *dhcp.Lease, p netip.Addr) bool { return l.Address.Contains(p) }) {
			return false
		}
	}
	return len(n.cfg.Targets) > 0
}

// reached tells whether any lease leads to any portal.
func reached(portals []netip.Addr, leases []dhcp.Lease, by func(*dhcp.Lease, netip.Addr) bool) bool {
	for _, p := range portals {
		for i := range leases {
			if by(&leases[i], p) {
				return true
			}
		}
	}
	return false
}

// leads tells whether an address is in the network of a lease, or behind one of
// its routes.
func leads(l *dhcp.Lease, to netip.Addr) bool {
	return l.Address.Contains(to) || slices.ContainsFunc(l.Routes, func(r dhcp.Route) bool { return r.To.Contains(to) })
}
