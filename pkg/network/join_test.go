package network

import (
	"context"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

// until waits for what happens immediately on an idle machine.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

// interfaces lists the NICs of leases, in their order.
func interfaces(leases []dhcp.Lease) []string {
	var out []string
	for _, l := range leases {
		out = append(out, l.Interface)
	}
	return out
}

// gateway returns the next hop of the kernel's default route.
func gateway(t *testing.T) string {
	t.Helper()
	routes, err := netlink.RouteGet([]byte{192, 0, 2, 1})
	if err != nil || len(routes) != 1 {
		t.Fatalf("default route: %v, %v", routes, err)
	}
	return routes[0].Gw.String()
}

// Every NIC that receives a lease is up until the hand-over; the boot continues with the first.
// After it only the NIC of root's session is up, and has the default route.
func TestEveryNIC(t *testing.T) {
	inNamespace(t, func() {
		sys := t.TempDir()
		dnsmasq(t, wire(t, sys, "a0", "10.8.0.1/24"), "--dhcp-range=10.8.0.50,10.8.0.50,255.255.255.0,2m")
		n, leases, err := run(t, Config{Net: lines(t, "dhcp"), SysClassNet: sys}, patience)
		if err != nil || !slices.Equal(interfaces(leases), []string{"a0"}) {
			t.Fatalf("leases %v, %v", leases, err)
		}
		for _, name := range []string{"b0", "c0"} { // before the kernel's messages about them
			makeHardware(t, sys, name)
		}
		dnsmasq(t, wire(t, sys, "b0", "10.9.0.1/24"), "--dhcp-range=10.9.0.50,10.9.0.50,255.255.255.0,2m")
		wire(t, sys, "c0", "10.6.0.1/24") // no server
		until(t, "the second lease", func() bool { return len(n.Leases()) == 2 })
		if got := gateway(t); got != "10.8.0.1" {
			t.Errorf("default route by %s while both are up", got)
		}
		if got := n.OtherNICs(netip.MustParseAddr("192.0.2.1")); !slices.Equal(got, []string{"b0"}) {
			t.Errorf("OtherNICs for IPv4: %v", got)
		}
		if got := n.OtherNICs(netip.MustParseAddr("fd09::1")); got != nil {
			t.Errorf("OtherNICs for IPv6: %v", got)
		}
		n.HandOver([]string{"b0"})
		if left := n.Leases(); !slices.Equal(interfaces(left), []string{"b0"}) || gateway(t) != "10.9.0.1" {
			t.Errorf("left %v, default route by %s", left, gateway(t))
		}
		routes, err := netlink.RouteList(linkOf(t, "b0"), netlink.FAMILY_V4)
		for _, r := range routes {
			if r.Priority != 0 || err != nil {
				t.Errorf("route %v, %v", r, err)
			}
		}
		for _, name := range []string{"a0", "c0"} {
			link := linkOf(t, name)
			addrs, err := netlink.AddrList(link, netlink.FAMILY_V4)
			if link.Attrs().RawFlags&unix.IFF_UP != 0 || len(addrs) > 0 || err != nil {
				t.Errorf("%s is left with flags %x, addresses %v, %v", name, link.Attrs().RawFlags, addrs, err)
			}
		}
	})
}

// afterFirst starts a network with two NICs. It returns when a0 has a lease, which is not enough,
// and b0 has a carrier, but no server yet.
func afterFirst(t *testing.T, cfg Config) (*Network, *lab.Namespace) {
	t.Helper()
	cfg.Net, cfg.SysClassNet, cfg.OthersLimit = lines(t, "dhcp"), t.TempDir(), time.Hour
	cfg.SinceBoot = sinceBoot
	first := wire(t, cfg.SysClassNet, "a0", "10.8.0.1/24")
	second := wire(t, cfg.SysClassNet, "b0", "10.9.0.1/24")
	dnsmasq(t, first, "--dhcp-range=10.8.0.50,10.8.0.50,255.255.255.0,2m", "--dhcp-option=option:router")
	n, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Undo)
	until(t, "the first lease, and a link on b0", func() bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		return len(n.present()) == 1 && n.remainingUp
	})
	over, cancel := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer cancel()
	if leases, err := n.Wait(over); err == nil {
		t.Errorf("the boot continues with %v", leases)
	}
	return n, second
}

// With a lease that leads to no target Wait continues to wait.
func TestUsableLease(t *testing.T) {
	inNamespace(t, func() {
		n, second := afterFirst(t, Config{Targets: [][]netip.Addr{{netip.MustParseAddr("10.9.0.1")}}})
		dnsmasq(t, second, "--dhcp-range=10.9.0.50,10.9.0.50,255.255.255.0,2m")
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if leases, err := n.Wait(ctx); err != nil || !slices.Equal(interfaces(leases), []string{"a0", "b0"}) {
			t.Errorf("leases %v, %v", leases, err)
		}
	})
}

// If DHCP is to supply the target, Wait waits for another NIC's answer with a root path.
func TestWaitsForRootPath(t *testing.T) {
	inNamespace(t, func() {
		n, second := afterFirst(t, Config{WantRootPath: true, NeedRootPath: true})
		dnsmasq(t, second, "--dhcp-range=10.9.0.50,10.9.0.50,255.255.255.0,2m",
			"--dhcp-option=option:root-path,iscsi:10.9.0.1::::iqn.2007-01.com.example:a")
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		leases, err := n.Wait(ctx)
		if err != nil || !slices.Equal(interfaces(leases), []string{"b0", "a0"}) || leases[0].RootPath == "" {
			t.Errorf("leases %v, %v", leases, err)
		}
	})
}

// If the first NIC disappears, the second one's lease becomes the line's.
func TestFirstNICRemoved(t *testing.T) {
	inNamespace(t, func() {
		sys := t.TempDir()
		dnsmasq(t, wire(t, sys, "a0", "10.8.0.1/24"), "--dhcp-range=10.8.0.50,10.8.0.50,255.255.255.0,2m")
		dnsmasq(t, wire(t, sys, "b0", "10.9.0.1/24"), "--dhcp-range=10.9.0.50,10.9.0.50,255.255.255.0,2m")
		n, _, err := run(t, Config{Net: lines(t, "dhcp"), SysClassNet: sys}, patience)
		if err != nil {
			t.Fatal(err)
		}
		until(t, "both leases", func() bool { return len(n.Leases()) == 2 })
		leases := n.Leases()
		if err := netlink.LinkDel(linkOf(t, leases[0].Interface)); err != nil {
			t.Fatal(err)
		}
		until(t, "the end of the first", func() bool { return len(n.Leases()) == 1 })
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if left, err := n.Wait(ctx); err != nil || left[0].Interface != leases[1].Interface {
			t.Errorf("leases %v, %v", left, err)
		}
	})
}

// A target that is not reached over the kernel's choice gets a route by the NIC that reaches it,
// which the lease has too.
func TestPin(t *testing.T) {
	inNamespace(t, func() {
		sys := t.TempDir()
		for _, name := range []string{"a0", "b0"} {
			if err := netlink.LinkSetUp(veth(t, sys, name)); err != nil {
				t.Fatal(err)
			}
		}
		plan := lines(t, "10.2.0.2::10.2.0.1:24::a0:none", "10.2.0.3::10.2.0.9:24::b0:none")
		n, leases, err := run(t, Config{Net: plan, SysClassNet: sys, OthersLimit: time.Hour}, patience)
		if err != nil || len(leases) != 2 {
			t.Fatalf("leases %v, %v", leases, err)
		}
		for addr, want := range map[string]string{"10.2.0.7": "10.2.0.7/32", "192.0.2.1": "192.0.2.1/32 via 10.2.0.9"} {
			to := netip.MustParseAddr(addr)
			other := n.OtherNICs(to)
			if len(other) != 1 || n.NICTo(to) == other[0] {
				t.Fatalf("%s: by %s, and %v", addr, n.NICTo(to), other)
			}
			if err := n.Pin(to, "b0"); err != nil || n.NICTo(to) != "b0" {
				t.Errorf("%s: by %s, %v", addr, n.NICTo(to), err)
			}
			routes := n.Leases()[1].Routes
			if got := routes[len(routes)-1].String(); got != want {
				t.Errorf("%s: the lease has %s, want %s", addr, got, want)
			}
		}
		if err := n.Pin(netip.MustParseAddr("fd09::1"), "b0"); err == nil {
			t.Error("a route that leads nowhere: no error")
		}
		if got := n.NICOf(netip.MustParseAddr("10.2.0.3")); got != "b0" {
			t.Errorf("10.2.0.3 is on %s", got)
		}
	})
}

// What Wait waits for once a line is up.
func TestEnough(t *testing.T) {
	lease := func(name, addr, root string, routes ...dhcp.Route) *dhcp.Lease {
		return &dhcp.Lease{Interface: name, Address: netip.MustParsePrefix(addr), RootPath: root, Routes: routes}
	}
	addrs := func(list ...string) (out []netip.Addr) {
		for _, a := range list {
			out = append(out, netip.MustParseAddr(a))
		}
		return out
	}
	a, b := lease("a0", "10.8.0.2/24", ""), lease("b0", "10.9.0.2/24", "")
	out := dhcp.Route{To: netip.MustParsePrefix("0.0.0.0/0"), Via: netip.MustParseAddr("10.8.0.1")}
	for name, tt := range map[string]struct {
		n    *Network
		want bool
	}{
		"nothing is up":                {&Network{leases: []*dhcp.Lease{nil}}, false},
		"one line":                     {&Network{leases: []*dhcp.Lease{a}}, true},
		"one of two lines":             {&Network{leases: []*dhcp.Lease{a, nil}}, false},
		"one of two lines, late":       {&Network{leases: []*dhcp.Lease{a, nil}, othersExpired: true}, true},
		"the target's of two lines":    {&Network{leases: []*dhcp.Lease{nil, b}, cfg: Config{Complete: true, Targets: [][]netip.Addr{addrs("10.9.0.1")}}}, true},
		"a server may say more":        {&Network{leases: []*dhcp.Lease{nil, b}, cfg: Config{Targets: [][]netip.Addr{addrs("10.9.0.1")}}}, false},
		"one of two targets":           {&Network{leases: []*dhcp.Lease{nil, b}, cfg: Config{Complete: true, Targets: [][]netip.Addr{addrs("10.9.0.1"), addrs("10.8.0.1")}}}, false},
		"another network":              {&Network{leases: []*dhcp.Lease{a}, remainingUp: true, cfg: Config{Targets: [][]netip.Addr{addrs("10.9.0.1")}}}, false},
		"another network, late":        {&Network{leases: []*dhcp.Lease{a}, remainingUp: true, othersExpired: true, cfg: Config{Targets: [][]netip.Addr{addrs("10.9.0.1")}}}, true},
		"a router":                     {&Network{leases: []*dhcp.Lease{lease("a0", "10.8.0.2/24", "", out)}, remainingUp: true, cfg: Config{Targets: [][]netip.Addr{addrs("10.9.0.1")}}}, true},
		"names":                        {&Network{leases: []*dhcp.Lease{a}, remainingUp: true, cfg: Config{Targets: [][]netip.Addr{nil}}}, true},
		"no root path, one NIC":        {&Network{leases: []*dhcp.Lease{a}, cfg: Config{WantRootPath: true}}, true},
		"no root path, more NICs":      {&Network{leases: []*dhcp.Lease{a}, remaining: true, cfg: Config{WantRootPath: true}}, false},
		"no root path, no link":        {&Network{leases: []*dhcp.Lease{a}, remaining: true, rootPathOptionalExpired: true, cfg: Config{WantRootPath: true}}, true},
		"no root path, a link":         {&Network{leases: []*dhcp.Lease{a}, remaining: true, remainingUp: true, rootPathOptionalExpired: true, cfg: Config{WantRootPath: true, NeedRootPath: true}}, false},
		"no root path, at last":        {&Network{leases: []*dhcp.Lease{a}, remaining: true, remainingUp: true, rootPathOptionalExpired: true, rootPathRequiredExpired: true, cfg: Config{WantRootPath: true, NeedRootPath: true}}, true},
		"a default target":             {&Network{leases: []*dhcp.Lease{a}, remaining: true, remainingUp: true, cfg: Config{WantRootPath: true}}, false},
		"a default target, late":       {&Network{leases: []*dhcp.Lease{a}, remaining: true, remainingUp: true, rootPathOptionalExpired: true, cfg: Config{WantRootPath: true}}, true},
		"the second has the root path": {&Network{leases: []*dhcp.Lease{a}, joined: []*dhcp.Lease{lease("b0", "10.9.0.2/24", "iscsi:")}, remaining: true, cfg: Config{WantRootPath: true}}, true},
	} {
		if leases, got := tt.n.enough(); got != tt.want {
			t.Errorf("%s: %v with %v", name, got, leases)
		}
	}
}
