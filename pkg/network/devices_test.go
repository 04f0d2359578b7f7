package network

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

func words(text string) cmdline.Line { return cmdline.Parse(text) }

// netOf is the network part of a plan.
func netOf(t *testing.T, text string) bootspec.Net {
	t.Helper()
	p, err := bootspec.Parse(words(text))
	if err != nil {
		t.Fatal(err)
	}
	return p.Net
}

// alias adds a name of hardware that a link gets later by renaming.
func alias(t *testing.T, sys string, names ...string) {
	t.Helper()
	for _, name := range names {
		makeHardware(t, sys, name)
	}
}

func mustLink(t *testing.T, name string) netlink.LinkAttrs {
	t.Helper()
	l, err := netlink.LinkByName(name)
	if err != nil {
		t.Fatalf("link %s: %v", name, err)
	}
	return *l.Attrs()
}

func setMAC(t *testing.T, name, mac string) {
	t.Helper()
	l, err := netlink.LinkByName(name)
	if err != nil {
		t.Fatal(err)
	}
	hw, _ := net.ParseMAC(mac)
	if err := netlink.LinkSetHardwareAddr(l, hw); err != nil {
		t.Fatal(err)
	}
}

func peersUp(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		l, err := netlink.LinkByName(name)
		if err == nil {
			err = netlink.LinkSetUp(l)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Names are given before the links are set up, also if two NICs swap theirs; so are MTU and MAC.
func TestNamesMTUAndMAC(t *testing.T) {
	inNamespace(t, func() {
		sys := t.TempDir()
		veth(t, sys, "eth0")
		veth(t, sys, "eth1")
		setMAC(t, "eth0", "52:54:00:aa:00:00")
		setMAC(t, "eth1", "52:54:00:aa:00:01")
		peersUp(t, "eth0p", "eth1p")
		alias(t, sys, "eth0", "eth1")
		for _, name := range []string{"eth0", "eth1"} { // the temporary names of those that are renamed out of the way
			alias(t, sys, fmt.Sprintf("rename%d", mustLink(t, name).Index))
		}
		n := netOf(t, "ifname=eth1:52:54:00:aa:00:00 ifname=eth0:52:54:00:aa:00:01 ip=10.1.1.5::10.1.1.1:24::eth1:none:4000:52:54:00:bb:00:00")
		network, _, err := run(t, Config{Net: n, SysClassNet: sys}, time.Minute)
		if err != nil {
			t.Error(err)
			return
		}
		network.Stop() // by then the other one has its name too
		eth0, eth1 := mustLink(t, "eth0"), mustLink(t, "eth1")
		if got := eth0.HardwareAddr.String(); got != "52:54:00:aa:00:01" || eth0.MTU != 1500 {
			t.Errorf("eth0 has %s and MTU %d", got, eth0.MTU)
		}
		if got := eth1.HardwareAddr.String(); got != "52:54:00:bb:00:00" || eth1.MTU != 4000 {
			t.Errorf("eth1 has %s and MTU %d", got, eth1.MTU)
		}
	})
}

// A NIC becomes a bridge's port, the bridge gets the address, and a second attempt changes nothing.
func TestBridge(t *testing.T) {
	inNamespace(t, func() {
		sys := t.TempDir()
		for _, name := range []string{"eth0", "eth1"} {
			veth(t, sys, name)
		}
		peersUp(t, "eth0p", "eth1p")
		n := netOf(t, "ip=10.1.1.5::10.1.1.1:24::br0:none bridge=br0:eth0,eth1")
		for i := range 2 {
			network, _, err := run(t, Config{Net: n, SysClassNet: sys}, time.Minute)
			if err != nil {
				t.Error(err)
				return
			}
			if i == 0 {
				network.Undo()
			}
		}
		bridge := mustLink(t, "br0")
		for _, name := range []string{"eth0", "eth1"} {
			if l := mustLink(t, name); l.MasterIndex != bridge.Index || l.RawFlags&unix.IFF_UP == 0 {
				t.Errorf("%s: master %d, flags %#x", name, l.MasterIndex, l.RawFlags)
			}
		}
		if got := addresses(t, "br0"); !slices.Equal(got, []string{"10.1.1.5/24"}) {
			t.Errorf("bridge has %q", got)
		}
		if got := addresses(t, "eth0"); got != nil {
			t.Errorf("port has %q", got)
		}
	})
}

func addresses(t *testing.T, name string) []string {
	t.Helper()
	l, err := netlink.LinkByName(name)
	if err != nil {
		t.Fatal(err)
	}
	list, err := netlink.AddrList(l, netlink.FAMILY_V4)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, a := range list {
		s := a.IPNet.String()
		if a.Peer != nil && a.Peer.String() != s {
			s += " peer " + a.Peer.String()
		}
		out = append(out, s)
	}
	return out
}

// Routes on the link come before those through a gateway that only they reach, and before the
// default route through it.
func TestRoutesAndPeer(t *testing.T) {
	inNamespace(t, func() {
		sys := t.TempDir()
		veth(t, sys, "eth0")
		peersUp(t, "eth0p")
		n := netOf(t, "ip=10.1.1.5:10.1.1.1/32:10.9.0.1:32::eth0:none rd.route=10.8.0.0/16:10.7.0.1 rd.route=10.7.0.0/24::eth0 rd.route=10.9.0.0/24: rd.route=[2001:db8:8::/48]:[fe80::1]:eth0 rd.route=10.5.0.0/16:10.5.0.1:eth5")
		if _, _, err := run(t, Config{Net: n, SysClassNet: sys}, time.Minute); err != nil {
			t.Error(err)
			return
		}
		if got := addresses(t, "eth0"); !slices.Equal(got, []string{"10.1.1.5/32 peer 10.1.1.1/32"}) {
			t.Errorf("addresses %q", got)
		}
		got := strings.Join(routes(t, "eth0"), "\n")
		for _, want := range []string{"10.1.1.1/32", "10.7.0.0/24", "10.9.0.0/24", "10.8.0.0/16 via 10.7.0.1", "default via 10.9.0.1", "2001:db8:8::/48 via fe80::1"} {
			if !strings.Contains(got, want) {
				t.Errorf("no route %s in\n%s", want, got)
			}
		}
		if strings.Contains(got, "10.5.0.0") {
			t.Errorf("a route of another NIC:\n%s", got)
		}
	})
}

func routes(t *testing.T, name string) []string {
	t.Helper()
	l, err := netlink.LinkByName(name)
	if err != nil {
		t.Fatal(err)
	}
	list, err := netlink.RouteList(l, netlink.FAMILY_ALL)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, r := range list {
		s := "default"
		if r.Dst != nil && r.Dst.String() != "0.0.0.0/0" && r.Dst.String() != "::/0" {
			s = r.Dst.String()
		}
		if r.Gw != nil {
			s += " via " + r.Gw.String()
		}
		out = append(out, s)
	}
	return out
}

// Which NIC a route that names none belongs on.
func TestGoesBy(t *testing.T) {
	n := netOf(t, "ip=10.1.1.5:::24::eth0:none ip=10.2.2.5:::24::eth1:none rd.route=10.8.0.0/16:10.2.2.1 rd.route=10.9.0.0/16:10.3.3.1"+
		" rd.route=10.8.0.0/16::eth1 rd.route=10.8.0.0/16:10.2.2.1:52-54-00-77-00-01")
	first, second := netip.MustParsePrefix("10.1.1.5/24"), netip.MustParsePrefix("10.2.2.5/24")
	mac := net.HardwareAddr{0x52, 0x54, 0, 0x77, 0, 1}
	eth0 := &netlink.Device{LinkAttrs: netlink.LinkAttrs{Name: "eth0", HardwareAddr: mac}}
	vlan := &netlink.Vlan{LinkAttrs: netlink.LinkAttrs{Name: "eth1", HardwareAddr: mac}}
	for i, want := range [][2]bool{{false, true}, {true, false}, {false, true}, {true, false}} {
		r := n.Routes[i].V
		if got := [2]bool{goesBy(n, r, eth0, first, true), goesBy(n, r, vlan, second, false)}; got != want {
			t.Errorf("%s: %v, want %v", r, got, want)
		}
	}
}

// A missing VLAN's error names the NIC that is missing.
func TestMissingParent(t *testing.T) {
	inNamespace(t, func() {
		sys := t.TempDir()
		veth(t, sys, "eth0")
		n := netOf(t, "iscsi_i_ip=10.1.1.5/24 vlan=vlan5:bond0 bond=bond0:eth7,eth8:mode=1")
		_, err := missing(t, Config{Net: n, SysClassNet: sys}, "there is eth0p, eth0:")
		if err == nil || !strings.Contains(err.Error(), "no interface vlan5, because it is to be made of eth7, eth8 and there is eth0") {
			t.Errorf("got %v", err)
		}
	})
}
