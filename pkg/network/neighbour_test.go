package network

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

// A static address is assigned to the NIC on whose link the target is, or its gateway, although
// another NIC has a carrier first.
func TestNeighbourSelectsNIC(t *testing.T) {
	for _, tt := range []struct{ name, line, target, there string }{
		{"target", "10.1.1.165:::26:::none", "10.1.1.129", "10.1.1.129/26"},
		{"gateway", "10.1.1.165::10.1.1.180:26:::none", "192.0.2.1", "10.1.1.180/26"},
		{"target on IPv6", "[fd09::2/64]::::::none", "fd09::1", "fd09::1/64"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inNamespace(t, func() {
				sys := t.TempDir()
				wire(t, sys, "a0")
				right := wire(t, sys, "b0")
				targets := [][]netip.Addr{{netip.MustParseAddr(tt.target)}}
				n, err := missing(t, Config{Net: lines(t, tt.line), SysClassNet: sys, Targets: targets}, " does not answer on a0, b0")
				var waited *WaitError
				if !errors.As(err, &waited) || !waited.Retryable() || !strings.Contains(waited.Hint(), "iscsi_if=NIC, or the NIC in ip=") {
					t.Fatalf("error %v", err)
				}
				if err := right.Do(func() error { return up("srv0", []string{tt.there}) }); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				leases, err := n.Wait(ctx)
				if err != nil || !slices.Equal(interfaces(leases), []string{"b0"}) {
					t.Fatalf("leases %v, %v", leases, err)
				}
				until(t, "the other NIC is left alone", func() bool { return linkOf(t, "a0").Attrs().RawFlags&unix.IFF_UP == 0 })
			})
		})
	}
}

// The only NIC with a carrier gets the address immediately. It moves, with its routes, when the
// target answers on a NIC whose carrier comes later.
func TestAddressMoves(t *testing.T) {
	inNamespace(t, func() {
		sys := t.TempDir()
		if err := netlink.LinkSetUp(veth(t, sys, "a0")); err != nil {
			t.Fatal(err)
		}
		right := wire(t, sys, "b0", "10.1.1.129/26", "10.1.1.180/26")
		down := func(f func(netlink.Link) error) {
			t.Helper()
			if err := right.Do(func() error { link, err := netlink.LinkByName("srv0"); return errors.Join(err, f(link)) }); err != nil {
				t.Fatal(err)
			}
		}
		down(netlink.LinkSetDown)
		n, leases, err := run(t, Config{Net: static(""), SysClassNet: sys, Targets: [][]netip.Addr{{netip.MustParseAddr("10.1.1.129")}}}, patience)
		if err != nil || !slices.Equal(interfaces(leases), []string{"a0"}) {
			t.Fatalf("leases %v, %v", leases, err)
		}
		down(netlink.LinkSetUp)
		until(t, "the address is on b0", func() bool { return slices.Equal(interfaces(n.Leases()), []string{"b0"}) })
		settled(t, n, sys)
		link := linkOf(t, "a0")
		addrs, err := netlink.AddrList(link, netlink.FAMILY_V4)
		if err != nil || len(addrs) > 0 || link.Attrs().RawFlags&unix.IFF_UP != 0 {
			t.Errorf("a0 is left with flags %x, addresses %v, %v", link.Attrs().RawFlags, addrs, err)
		}
		if got := n.NICTo(netip.MustParseAddr("192.0.2.1")); got != "b0" {
			t.Errorf("default route by %s", got)
		}
		routes, err := netlink.RouteList(linkOf(t, "b0"), netlink.FAMILY_V4)
		if err != nil || len(routes) != 2 {
			t.Errorf("routes %v, %v", routes, err)
		}
	})
}

// Nothing is solicited on the only NIC.
func TestOneNICIsNotSolicited(t *testing.T) {
	inNamespace(t, func() {
		sys := t.TempDir()
		wire(t, sys, "a0")
		n, leases, err := run(t, Config{Net: static(""), SysClassNet: sys, Targets: [][]netip.Addr{{netip.MustParseAddr("10.1.1.129")}}}, patience)
		if err != nil || len(leases) != 1 {
			t.Fatalf("leases %v, %v", leases, err)
		}
		seen := make(chan int)
		n.post(func() { seen <- len(n.lines[0].soliciting) })
		if solicited := <-seen; solicited != 0 {
			t.Errorf("solicited on %d links", solicited)
		}
		list, err := netlink.NeighList(linkOf(t, "a0").Attrs().Index, netlink.FAMILY_V4)
		if err != nil || len(list) > 0 {
			t.Errorf("neighbours %v, %v", list, err)
		}
	})
}

// Which addresses are solicited.
func TestNeighbours(t *testing.T) {
	for _, tt := range []struct{ name, line, targets, want string }{
		{"target", "10.1.1.165::10.1.1.180:26:::none", "10.1.1.129 192.0.2.1", "[10.1.1.129]"},
		{"gateway", "10.1.1.165::10.1.1.180:26:::none", "192.0.2.1", "[10.1.1.180]"},
		{"gateway of a name", "10.1.1.165::10.1.1.180:26:::none", "", "[10.1.1.180]"},
		{"no gateway", "10.1.1.165:::26:::none", "192.0.2.1", "[]"},
		{"NIC", "10.1.1.165:::26::eth0:none", "10.1.1.129", "[]"},
		{"leased", "dhcp", "10.1.1.129", "[]"},
	} {
		var targets []netip.Addr
		for _, a := range strings.Fields(tt.targets) {
			targets = append(targets, netip.MustParseAddr(a))
		}
		ip, cause := bootspec.ParseIP(tt.line)
		if cause != "" {
			t.Fatal(cause)
		}
		ln := line{IP: ip}
		if got := ln.expectedNeighbours([][]netip.Addr{targets}); fmt.Sprint(got) != tt.want {
			t.Errorf("%s: %v, want %s", tt.name, got, tt.want)
		}
		if got := ln.expectedNeighbours(nil); got != nil {
			t.Errorf("%s: %v without a target", tt.name, got)
		}
	}
}
