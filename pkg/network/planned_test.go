package network

import (
	"slices"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

// A NIC without a carrier gets the static address that is wanted, and its routes come after those
// of the NIC that is up. One that is not wanted, or has no static address of its own, is left as it
// was found.
func TestStopKeeping(t *testing.T) {
	for _, address := range []string{"10.3.0.2", "[fd03::2]"} {
		t.Run(address, func(t *testing.T) {
			inNamespace(t, func() {
				sys := t.TempDir()
				for _, name := range []string{"b0", "c0", "d0"} {
					veth(t, sys, name)
				}
				if err := netlink.LinkSetUp(veth(t, sys, "a0")); err != nil {
					t.Fatal(err)
				}
				router := map[string]string{"10.3.0.2": "10.3.0.1"}[address]
				plan := lines(t, address+"::"+router+":24::b0:none", "10.2.0.2::10.2.0.1:24::a0:none", "10.4.0.2:::24::c0:none", "d0:dhcp")
				n, _, err := run(t, Config{Net: plan, SysClassNet: sys, OthersLimit: 1}, patience)
				if err != nil {
					t.Fatal(err)
				}
				n.StopKeeping(func(l dhcp.Lease) bool { return l.Interface != "c0" })
				checkDefaultRoute(t, "a0")
				n.HandOver([]string{"a0", "b0"})
				checkDefaultRoute(t, "a0")
				if leases := n.Leases(); len(leases) != 2 || leases[0].Interface != "a0" || leases[1].Interface != "b0" {
					t.Errorf("leases %v", leases)
				}
				for name, want := range map[string]bool{"a0": true, "b0": true, "c0": false, "d0": false} {
					link := linkOf(t, name)
					addrs, err := netlink.AddrList(link, netlink.FAMILY_ALL)
					given := slices.ContainsFunc(addrs, func(a netlink.Addr) bool { return a.Scope == unix.RT_SCOPE_UNIVERSE })
					if up := link.Attrs().RawFlags&unix.IFF_UP != 0; err != nil || given != want || up != want {
						t.Errorf("%s: up %v, addresses %v, %v", name, up, addrs, err)
					}
				}
				n.Undo()
				if b0 := linkOf(t, "b0"); b0.Attrs().RawFlags&unix.IFF_UP != 0 {
					t.Error("b0 stays up")
				}
			})
		})
	}
}

// checkDefaultRoute checks by which NIC the preferred default route is.
func checkDefaultRoute(t *testing.T, nic string) {
	t.Helper()
	routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
	if err != nil {
		t.Fatal(err)
	}
	var best *netlink.Route
	for i := range routes {
		if r := &routes[i]; isDefault(r.Dst) && (best == nil || r.Priority < best.Priority) {
			best = r
		}
	}
	if best == nil || best.LinkIndex != linkOf(t, nic).Attrs().Index {
		t.Errorf("default route %v", best)
	}
}
