package network

import (
	"net/netip"
	"slices"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

// enough returns the leases, and whether the boot can continue with them; mu is held. One lease is
// enough if the NICs are not named. Of several lines all are waited for, up to OthersLimit, unless
// each target is in the network of a lease already. If DHCP is to supply the target, an answer with
// a root path is waited for; if there is no target without it, as long as a switch port can take to
// forward.
func (n *Network) enough() ([]dhcp.Lease, bool) {
	leases := n.present()
	all := !slices.Contains(n.leases, nil)
	switch {
	case len(leases) == 0:
		return nil, false
	case n.cfg.WantRootPath && leases[0].RootPath != "":
		return leases, true
	case n.cfg.WantRootPath:
		longer := n.remainingUp && n.cfg.NeedRootPath
		return leases, all && (!n.remaining || n.rootPathRequiredExpired || n.rootPathOptionalExpired && !longer)
	case all:
		return leases, !n.remainingUp || n.othersExpired || n.anyReachable(leases)
	}
	return leases, n.othersExpired || n.cfg.Complete && n.allOnLink(leases)
}

// present lists the leases; mu is held. If a root path is preferred, the lease with one comes
// first, and after HandOver that of root's session.
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

// anyReachable reports whether any target can be reached: a lease has its network, or a route to
// it. A target known by name only counts as reachable.
func (n *Network) anyReachable(leases []dhcp.Lease) bool {
	known := false
	for _, portals := range n.cfg.Targets {
		known = known || len(portals) > 0
		if anyPortal(portals, leases, leads) {
			return true
		}
	}
	return !known
}

// allOnLink reports whether each target is in the network of a lease.
func (n *Network) allOnLink(leases []dhcp.Lease) bool {
	for _, portals := range n.cfg.Targets {
		if !anyPortal(portals, leases, func(l *dhcp.Lease, p netip.Addr) bool { return l.Address.Contains(p) }) {
			return false
		}
	}
	return len(n.cfg.Targets) > 0
}

// anyPortal reports whether reaches is true for any lease and any portal.
func anyPortal(portals []netip.Addr, leases []dhcp.Lease, reaches func(*dhcp.Lease, netip.Addr) bool) bool {
	for _, p := range portals {
		for i := range leases {
			if reaches(&leases[i], p) {
				return true
			}
		}
	}
	return false
}

// leads reports whether an address is in the network of a lease, or behind one of its routes.
func leads(l *dhcp.Lease, to netip.Addr) bool {
	return l.Address.Contains(to) || slices.ContainsFunc(l.Routes, func(r dhcp.Route) bool { return r.To.Contains(to) })
}
