package netboot

import (
	"net/netip"
	"slices"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

// notOneMachine tells why an address is not that of one machine that others reach; empty if it may
// be. A link-local address of IPv6 is left to the caller.
func notOneMachine(a netip.Addr) string {
	switch {
	case a.Is4In6():
		return "an IPv4 address in the form of IPv6: write " + a.Unmap().String()
	case a.IsUnspecified(), a.Is4() && a.As4()[0] == 0: // RFC 1122 3.2.1.3: "this network"
		return "no machine's address"
	case a.IsMulticast():
		return "a multicast address"
	case a.IsLoopback():
		return "a loopback address, by which each machine reaches itself"
	case a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return "the broadcast address"
	}
	return ""
}

// notInSubnet tells why no machine in a subnet has an address of it; empty if one may have. In
// subnets of two addresses both are machines' (RFC 3021, RFC 6164).
func notInSubnet(subnet netip.Prefix, a netip.Addr) string {
	if !subnet.Contains(a) || a.BitLen()-subnet.Bits() < 2 {
		return ""
	}
	if a == subnet.Masked().Addr() {
		if a.Is6() {
			return "the anycast address of all routers of " + subnet.Masked().String() + " (RFC 4291 2.6.1)"
		}
		return "the address of the network " + subnet.Masked().String()
	}
	if next := a.Next(); a.Is4() && (!next.IsValid() || !subnet.Contains(next)) {
		return "the broadcast address of " + subnet.Masked().String()
	}
	return ""
}

// notServer tells why machines cannot reach a server by an address; empty if they may.
func notServer(a netip.Addr) string {
	if why := notOneMachine(a); why != "" {
		return why
	}
	if a.Zone() != "" || a.Is6() && a.IsLinkLocalUnicast() {
		return "a link-local address, which means nothing without a NIC"
	}
	return ""
}

// checkGateway reports a gateway by which the machine reaches nothing. A gateway outside of the
// subnet is right where the subnet has no other address, and for the link-local ones of IPv6.
func (r *hostReader) checkGateway(gateway netip.Addr, own netip.Prefix, line int) {
	why := notOneMachine(gateway)
	linkLocal := gateway.Is6() && gateway.IsLinkLocalUnicast()
	switch {
	case why != "":
	case gateway.Zone() != "":
		why = "an address with a zone: write it without"
	case !own.IsValid():
		return // told already
	case gateway.Is4() != own.Addr().Is4():
		why = "not of the IP version of the address " + own.Addr().String()
	case gateway == own.Addr():
		why = "the machine's own address"
	case !own.Contains(gateway) && !own.IsSingleIP() && !linkLocal:
		why = "outside of the subnet " + own.Masked().String()
	default:
		why = notInSubnet(own, gateway)
	}
	if why != "" {
		r.failf(line, "gateway", "%s is %s: write the router's address in this subnet", gateway.String(), why)
	}
}

// checkPortals reports portals where no target can be, and what is written twice.
func (r *hostReader) checkPortals(portals []bootspec.Portal, own netip.Prefix, line int) {
	for i, p := range portals {
		a, ok := p.Addr()
		why := ""
		if ok {
			why = notOneMachine(a)
		}
		switch {
		case why != "":
		case slices.Contains(portals[:i], p):
			why = "written twice"
		case a == own.Addr():
			why = "the machine's own address"
		case ok:
			why = notInSubnet(own, a)
		}
		if why != "" {
			r.failf(line, "portals", "%s is %s: write the target's addresses", p.Host, why)
		}
	}
}
