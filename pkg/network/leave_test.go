package network

import (
	"net"
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

// What is waited for is told while a login pins its NIC. Without the lock the race
// detector stops this.
func TestPinBesideReport(t *testing.T) {
	a := &dhcp.Lease{Interface: "none0", Address: netip.MustParsePrefix("10.8.0.2/24")}
	ln := &line{IP: lines(t, "dhcp").IP[0].V, winner: &link{index: 1}, up: true}
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.Index, attrs.EncapType = "lo", 2, "ether"
	sys := t.TempDir()
	n := &Network{cfg: Config{WantRootPath: true, SysClassNet: sys}, lines: []*line{ln}, leases: []*dhcp.Lease{a}}
	n.links = []*link{{Link: &netlink.Device{LinkAttrs: attrs}, name: "b0", index: 2}}
	makeHardware(t, sys, "lo")
	pinned := make(chan error)
	go func() { pinned <- n.Pin(netip.MustParseAddr("10.8.0.7"), "none0") }()
	const want = "none0: no root path from invalid IP: waiting for b0"
	if got := n.state().String(); got != want {
		t.Errorf("state %q", got)
	}
	if err := <-pinned; err == nil {
		t.Error("a NIC that is not there is no error")
	}
}

// Only a route to everything is a default route.
func TestDropDefaults(t *testing.T) {
	inNamespace(t, func() {
		sys := t.TempDir()
		if err := netlink.LinkSetUp(veth(t, sys, "a0")); err != nil {
			t.Fatal(err)
		}
		plan := lines(t, "10.2.0.2:::24::a0:none")
		if _, _, err := run(t, Config{Net: plan, SysClassNet: sys}, patience); err != nil {
			t.Fatal(err)
		}
		link := linkOf(t, "a0")
		for to, metric := range map[string]int{"0.0.0.0/0": 101, "0.0.0.0/1": 101, "128.0.0.0/1": 101} {
			route := &netlink.Route{LinkIndex: link.Attrs().Index, Dst: ipNet(netip.MustParsePrefix(to)), Priority: metric, Gw: net.IP{10, 2, 0, 1}}
			if err := netlink.RouteReplace(route); err != nil {
				t.Fatalf("%s: %v", to, err)
			}
		}
		dropDefaults("a0", 0)
		left := map[string]bool{}
		routes, err := netlink.RouteList(link, netlink.FAMILY_V4)
		for _, r := range routes {
			if err == nil && r.Priority == 101 {
				left[r.Dst.String()] = true
			}
		}
		if err != nil || len(left) != 2 || !left["0.0.0.0/1"] || !left["128.0.0.0/1"] {
			t.Errorf("left %v, %v", left, err)
		}
	})
}
