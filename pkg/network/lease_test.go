package network

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

func dnsmasq(t *testing.T, ns *lab.Namespace, args ...string) {
	t.Helper()
	d, err := ns.StartDnsmasq(t.Context(), append([]string{"--interface=srv0"}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("dnsmasq:\n%s", d.Log())
		}
	})
}

// The boot continues with the first NIC that receives a lease, and those that receive none are left
// as they were found.
func TestFirstAnswer(t *testing.T) {
	inNamespace(t, func() {
		sys := t.TempDir()
		wire(t, sys, "a0", "10.8.0.1/24") // no server here
		served := wire(t, sys, "b0", "10.9.0.1/24")
		veth(t, sys, "c0") // no carrier
		dnsmasq(t, served, "--dhcp-range=10.9.0.50,10.9.0.50,255.255.255.0,2m", "--dhcp-option=option:mtu,1400",
			"--dhcp-option=option:classless-static-route,10.7.0.0/16,10.9.0.9,0.0.0.0/0,10.9.0.1")
		n, leases, err := run(t, Config{Net: lines(t, "dhcp"), SysClassNet: sys}, patience)
		if err != nil || len(leases) != 1 {
			t.Fatalf("leases %v, %v", leases, err)
		}
		n.Stop()
		l := leases[0]
		if l.Interface != "b0" || l.Address.String() != "10.9.0.50/24" || l.Method != dhcp.DHCP4 || l.Lifetime != 2*time.Minute {
			t.Errorf("lease %+v", l)
		}
		link := linkOf(t, "b0")
		if link.Attrs().MTU != 1400 {
			t.Errorf("MTU %d", link.Attrs().MTU)
		}
		routes, err := netlink.RouteGet([]byte{10, 7, 1, 1})
		if err != nil || routes[0].Gw.String() != "10.9.0.9" {
			t.Errorf("route %v, %v", routes, err)
		}
		for _, name := range []string{"a0", "c0"} {
			other := linkOf(t, name)
			addrs, err := netlink.AddrList(other, netlink.FAMILY_ALL)
			if other.Attrs().RawFlags&unix.IFF_UP != 0 || len(addrs) > 0 || err != nil {
				t.Errorf("%s is left with flags %x, addresses %v, %v", name, other.Attrs().RawFlags, addrs, err)
			}
		}
	})
}

// The methods of a line are tried in their order.
func TestMethodOrder(t *testing.T) {
	inNamespace(t, func() {
		sys := t.TempDir()
		ns := wire(t, sys, "a0", "fd09::1/64")
		dnsmasq(t, ns, "--enable-ra", "--dhcp-range=fd09::50,fd09::50,64,10m")
		plan := lines(t, "dhcp,dhcp6")
		plan.Timeouts = timeouts("dhcp", 2*time.Second)
		_, leases, err := run(t, Config{Net: plan, SysClassNet: sys}, patience)
		if err != nil || len(leases) != 1 || leases[0].Method != dhcp.DHCP6 || leases[0].Address.String() != "fd09::50/128" {
			t.Fatalf("leases %v, %v", leases, err)
		}
		if gw := leases[0].Gateway(); !gw.IsLinkLocalUnicast() {
			t.Errorf("gateway %v", gw)
		}
		routes, err := netlink.RouteGet(netip.MustParseAddr("fd09::1").AsSlice())
		if err != nil || routes[0].Src.String() != "fd09::50" {
			t.Errorf("route %v, %v", routes, err)
		}
	})
}

// Another machine has the address: a warning is reported, and the address is not used.
func TestDuplicateAddress(t *testing.T) {
	inNamespace(t, func() {
		sys := t.TempDir()
		wire(t, sys, "a0", "fd09::2/64")
		warned := make(chan string, 16)
		cfg := Config{Net: lines(t, "[fd09::2/64]::::::none"), SysClassNet: sys}
		n, err := Start(Config{Net: cfg.Net, SysClassNet: sys, Warn: func(text string) { warned <- text }})
		if err != nil {
			t.Fatal(err)
		}
		defer n.Undo()
		select {
		case text := <-warned:
			if !strings.Contains(text, "another machine on a0 has the address fd09::2") {
				t.Errorf("warned: %s", text)
			}
		case <-time.After(patience):
			t.Error("no warning that another machine has the address")
		}
	})
}

// Without an answer the error describes what was waited for.
func TestNoAnswer(t *testing.T) {
	inNamespace(t, func() {
		sys := t.TempDir()
		wire(t, sys, "a0", "10.8.0.1/24")
		_, err := missing(t, Config{Net: lines(t, "dhcp"), SysClassNet: sys}, "a0: waiting for a DHCP server, request ")
		if err == nil || !strings.Contains(err.Error(), "network: a0: waiting for a DHCP server, request ") {
			t.Errorf("error %v", err)
		}
		_, err = missing(t, Config{Net: lines(t, "auto6"), SysClassNet: sys}, "a0: waiting for a router's advertisement")
		if err == nil || !strings.Contains(err.Error(), "a0: waiting for a router's advertisement") {
			t.Errorf("error %v", err)
		}
	})
}
