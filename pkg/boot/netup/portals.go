package netup

import (
	"net/netip"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

// portals lists the addresses of each target's portals, without those given by host name.
func portals(targets []bootspec.Target) [][]netip.Addr {
	var out [][]netip.Addr
	for _, t := range targets {
		var addrs []netip.Addr
		for _, p := range t.Portals {
			if a, ok := p.V.Addr(); ok {
				addrs = append(addrs, a)
			}
		}
		out = append(out, addrs)
	}
	return out
}
