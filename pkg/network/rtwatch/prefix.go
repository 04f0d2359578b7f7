package rtwatch

import (
	"net"
	"net/netip"
)

// IPNet is an address with the length of its network, as package netlink uses it.
func IPNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
