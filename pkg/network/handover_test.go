package network

import (
	"context"
	"net"
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
	"github.com/iscsiroot/iscsiroot/pkg/network/rtwatch"
)

// State is reported while a login pins its NIC. Without the lock the race detector reports this.
func TestPinDuringReport(t *testing.T) {
	a := &dhcp.Lease{Interface: "none0", Address: netip.MustParsePrefix("10.8.0.2/24")}
	ln := &line{IP: lines(t, "dhcp").IP[0].V, primary: &link{index: 1}, up: true}
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
		t.Error("a missing NIC: no error")
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
			route := &netlink.Route{LinkIndex: link.Attrs().Index, Dst: rtwatch.IPNet(netip.MustParsePrefix(to)), Priority: metric, Gw: net.IP{10, 2, 0, 1}}
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

// A NIC that is being configured when the work ends is restored, for any NIC of its line, and also
// if its configuration failed.
func TestStopRemovesUnfinished(t *testing.T) {
	for _, name := range []string{"first", "second", "failed"} {
		t.Run(name, func(t *testing.T) {
			inNamespace(t, func() {
				if err := netlink.LinkSetUp(veth(t, t.TempDir(), "b0")); err != nil {
					t.Fatal(err)
				}
				b0 := linkOf(t, "b0")
				if err := netlink.LinkSetUp(b0); err != nil {
					t.Fatal(err)
				}
				l := &link{Link: b0, name: "b0", index: b0.Attrs().Index, broughtUp: true}
				ln := &line{IP: lines(t, "dhcp").IP[0].V, attempts: map[int]context.CancelFunc{}, joined: map[int]*joinedLink{}}
				lease := dhcp.Lease{Interface: "b0", Method: dhcp.DHCP4, Address: netip.MustParsePrefix("10.9.0.50/24")}
				n := &Network{tasks: newTasks(), lines: []*line{ln}, links: []*link{l}, leases: []*dhcp.Lease{nil}, changed: make(chan struct{})}
				n.ctx, n.cancel = context.WithCancel(t.Context())
				n.events, n.ended = make(chan func(), 8), make(chan struct{})
				switch name {
				case "second":
					n.leases[0] = &dhcp.Lease{Interface: "a0"}
					ln.primary, ln.up = &link{name: "a0"}, true
				case "failed": // the next hop is unreachable, so that the address exists and the route does not
					lease.Routes = []dhcp.Route{{To: netip.MustParsePrefix("0.0.0.0/0"), Via: netip.MustParseAddr("fd09::1")}}
				}
				n.claim(n.ctx, ln, l, lease)
				if name == "failed" {
					(<-n.events)() // which the loop would do
				}
				close(n.ended)
				n.HandOver(nil)
				addrs, err := netlink.AddrList(b0, netlink.FAMILY_V4)
				if flags := linkOf(t, "b0").Attrs().RawFlags; err != nil || len(addrs) > 0 || flags&unix.IFF_UP != 0 {
					t.Errorf("b0 is left with flags %x, addresses %v, %v", flags, addrs, err)
				}
				if ln.has(l) || name == "second" && (ln.primary == nil || n.leases[0] == nil) {
					t.Errorf("the line has %v, %v, leases %v", ln.primary, ln.joined, n.leases)
				}
			})
		})
	}
}
