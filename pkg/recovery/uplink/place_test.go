package uplink

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

const (
	ourMAC   = "52:54:00:77:00:01"
	otherMAC = "52:54:00:77:00:02"
)

// card is a NIC, soft what is made on others.
func card(index int, name, mac string) link {
	return link{index: index, name: name, up: true, mac: mac, permanent: mac}
}

func soft(index int, name, kind, mac string) link {
	return link{index: index, name: name, up: true, kind: kind, mac: mac}
}

func (l link) on(parent, vlan int) link { l.parent, l.vlan = parent, vlan; return l }
func (l link) in(master int) link       { l.master = master; return l }
func (l link) down() link               { l.up = false; return l }

// A link that is made on the NIC is not the NIC, whatever its MAC and index.
func TestFindIgnoresUpperLinks(t *testing.T) {
	nic := Identity{Known: true, Permanent: ourMAC}
	bond := Identity{Known: true, Kind: "bond"}
	vlan := Identity{Known: true, Kind: "vlan", VLAN: 5, Parent: ourMAC}
	eth0, vlan5 := card(2, "eth0", ourMAC), soft(3, "eth0.5", "vlan", ourMAC).on(2, 5)
	tests := map[string]struct {
		is   Identity
		all  []link
		want int // 0: none
	}{
		"as it was":                     {nic, []link{eth0}, 2},
		"not looked at yet":             {Identity{}, []link{eth0, vlan5}, 2},
		"not looked at yet, a bond":     {Identity{}, []link{soft(2, "bond0", "bond", ourMAC), card(3, "eth0", ourMAC).in(2)}, 2},
		"a VLAN with its MAC":           {nic, []link{vlan5, eth0}, 2},
		"gone, its VLAN is left":        {nic, []link{vlan5}, 0},
		"gone, a macvlan is left":       {nic, []link{soft(3, "mv0", "macvlan", ourMAC).on(9, 0)}, 0},
		"gone, a bridge with its MAC":   {nic, []link{soft(3, "br0", "bridge", ourMAC)}, 0},
		"gone, a bond with its MAC":     {nic, []link{soft(3, "bond0", "bond", ourMAC)}, 0},
		"driver loaded anew":            {nic, []link{vlan5, card(7, "eth0", ourMAC)}, 7},
		"its number is another's now":   {nic, []link{card(2, "eth1", otherMAC), card(7, "eth0", ourMAC)}, 7},
		"with another MAC, in a bond":   {nic, []link{{index: 2, name: "eth0", mac: otherMAC, permanent: ourMAC}}, 2},
		"another MAC and number":        {nic, []link{{index: 7, name: "eth0", mac: otherMAC, permanent: ourMAC}}, 7},
		"another card has its MAC now":  {nic, []link{{index: 5, name: "eth1", mac: ourMAC, permanent: otherMAC}}, 0},
		"no permanent MAC":              {Identity{Known: true}, []link{{index: 2, name: "eth0", mac: otherMAC}}, 2},
		"a port of a switch chip":       {nic, []link{card(2, "lan1", ourMAC).on(9, 0)}, 2},
		"made on something":             {nic, []link{card(7, "eth0", ourMAC).on(9, 0)}, 0},
		"failover, the slave first":     {nic, []link{card(6, "eth0", ourMAC).in(7), card(7, "eth1", ourMAC)}, 7},
		"failover, the master first":    {nic, []link{card(6, "eth1", ourMAC), card(7, "eth0", ourMAC).in(6)}, 6},
		"bond of the boot's":            {bond, []link{soft(2, "bond0", "bond", otherMAC)}, 2},
		"made anew":                     {bond, []link{soft(9, "eth0", "bond", otherMAC)}, 9},
		"its member":                    {bond, []link{card(3, "eth7", ourMAC)}, 0},
		"a bridge with a bond's number": {bond, []link{soft(2, "br0", "bridge", ourMAC)}, 0},
		"VLAN of the boot's":            {vlan, []link{eth0, soft(3, "eth0.6", "vlan", ourMAC).on(2, 6), soft(9, "x", "vlan", ourMAC).on(2, 5)}, 9},
		"VLAN on a bond with a new MAC": {vlan, []link{soft(4, "bond0", "bond", otherMAC), soft(2, "bond0.5", "vlan", otherMAC).on(4, 5)}, 2},
		"VLAN of another card":          {vlan, []link{card(4, "eth1", otherMAC), soft(9, "x", "vlan", otherMAC).on(4, 5)}, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := &wires{others: tt.all}
			u := testUplink()
			u.Identity = tt.is
			if l, ok := find(faked{w}, u); l.index != tt.want || ok != (tt.want != 0) {
				t.Errorf("found %+v, %v", l, ok)
			}
		})
	}
}

func TestIdentify(t *testing.T) {
	w := &wires{others: []link{card(2, "eth0", ourMAC), soft(3, "eth0.5", "vlan", otherMAC).on(2, 5)}}
	for index, want := range map[int]Identity{
		2: {Known: true, Permanent: ourMAC}, 3: {Known: true, Kind: "vlan", VLAN: 5, Parent: ourMAC},
	} {
		l, _ := faked{w}.link(index)
		u := testUplink()
		if u.identify(faked{w}, &l); u.Identity != want {
			t.Errorf("%d is %+v, want %+v", index, u.Identity, want)
		}
		w.others[0].permanent = "" // later it is not read again
		if u.identify(faked{w}, &l); u.Identity != want {
			t.Errorf("%d is %+v later", index, u.Identity)
		}
		w.others[0].permanent = ourMAC
	}
}

// ports is a machine whose eth0 has become a port.
func ports(of ...link) *wires {
	w := whole()
	w.master, w.others = of[0].index, of
	return w
}

// Each change makes eth0 a port, or finds it to be one; the agent acts immediately.
func TestAddressFollowsPort(t *testing.T) {
	const routes = "routes 2 to 5"
	br0 := soft(5, "br0", "bridge", ourMAC)
	v6 := func(w *wires, u *Uplink) {
		w.addrs, u.Lease.Address, u.Lease.Routes = []ifaceAddr{an("fd00::2/64", 2), an("fe80::1/64", 2)}, netip.MustParsePrefix("fd00::2/64"), nil
	}
	tests := map[string]struct {
		w        *wires
		change   func(*wires, *Uplink)
		did, log string
	}{
		"bridge":       {ports(br0), nil, "address 10.0.0.2/24 on 5, " + routes + ", no address 10.0.0.2/24 on 2", "warning: network: eth0 is a port of br0 now: 10.0.0.2/24 moved to br0"},
		"team":         {ports(soft(5, "t0", "team", ourMAC)), nil, "address 10.0.0.2/24 on 5, " + routes + ", no address 10.0.0.2/24 on 2", "warning: network: eth0 is a port of t0 now: 10.0.0.2/24 moved to t0"},
		"that is down": {ports(br0.down()), nil, "up 5, address 10.0.0.2/24 on 5, " + routes + ", no address 10.0.0.2/24 on 2", "warning: network: eth0 is a port of br0 now: 10.0.0.2/24 moved to br0"},
		"IPv6":         {ports(br0), v6, "address fd00::2/64 on 5, " + routes + ", no address fd00::2/64 on 2", "warning: network: eth0 is a port of br0 now: fd00::2/64 moved to br0"},
		"routes went": {
			ports(br0), func(w *wires, _ *Uplink) { w.routes = map[string]int{} },
			"address 10.0.0.2/24 on 5, " + routes + ", no address 10.0.0.2/24 on 2, route default via 10.0.0.1 by 5", "warning: network: eth0 is a port of br0 now: 10.0.0.2/24 moved to br0",
		},
		"a route stays": {
			ports(br0), func(w *wires, _ *Uplink) { w.stuck = errors.New("no") },
			"address 10.0.0.2/24 on 5, " + routes + ", no address 10.0.0.2/24 on 2", "error: network: eth0 is a port of br0 now: move 10.0.0.2/24 to br0: no",
		},
		"networkd was there first": {
			ports(br0), func(w *wires, _ *Uplink) { w.addrs = append(w.addrs, an("10.0.0.2/24", 5)) },
			routes + ", no address 10.0.0.2/24 on 2", "warning: network: eth0 is a port of br0 now: 10.0.0.2/24 is on br0 already, and was taken from eth0",
		},
		"networkd did it all": {ports(br0), func(w *wires, _ *Uplink) { w.addrs = []ifaceAddr{an("10.0.0.2/24", 5)} }, "", ""},
		"another address":     {ports(br0), func(w *wires, _ *Uplink) { w.addrs = []ifaceAddr{an("10.0.0.9/24", 5)} }, "", ""},
		"a bond in a bridge": {
			ports(soft(4, "bond0", "bond", ourMAC).in(5), br0), func(w *wires, _ *Uplink) { w.addrs = []ifaceAddr{an("10.0.0.2/24", 4)} },
			"address 10.0.0.2/24 on 5, routes 4 to 5, no address 10.0.0.2/24 on 4", "warning: network: eth0 is a port of br0 now: 10.0.0.2/24 moved to br0",
		},
		"failover": {ports(card(5, "eth1", ourMAC)), nil, "address 10.0.0.2/24 on 5, " + routes + ", no address 10.0.0.2/24 on 2", "warning: network: eth0 is a port of eth1 now: 10.0.0.2/24 moved to eth1"},
		"VRF":      {ports(soft(5, "red", "vrf", otherMAC)), nil, "", "info: network: eth0 is in the VRF red now: connections are bound to it"},
		"bridge in a VRF": {
			ports(br0.in(6), soft(6, "red", "vrf", otherMAC)), nil, "address 10.0.0.2/24 on 5, " + routes + ", no address 10.0.0.2/24 on 2",
			"info: network: br0 is in the VRF red now: connections are bound to it; warning: network: eth0 is a port of br0 now: 10.0.0.2/24 moved to br0",
		},
		"Open vSwitch": {
			ports(soft(5, "ovs-system", "openvswitch", otherMAC)), nil, "",
			"warning: network: eth0 is a port of an Open vSwitch now: 10.0.0.2/24 is not moved: give it to the bridge's internal port",
		},
		"Open vSwitch, no address left": {
			ports(soft(5, "ovs-system", "openvswitch", otherMAC)), func(w *wires, _ *Uplink) { w.addrs = nil }, "",
			"warning: network: eth0 is a port of an Open vSwitch now: 10.0.0.2/24 is not moved: give it to the bridge's internal port",
		},
		"something else": {
			ports(soft(5, "hsr0", "hsr", otherMAC)), nil, "",
			"warning: network: eth0 is a port of hsr0 (hsr) now: 10.0.0.2/24 is not moved: give hsr0 an address that reaches the target",
		},
		"not to be kept":    {ports(br0), func(_ *wires, u *Uplink) { u.Keep = false }, "", "warning: network: eth0 is a port of br0 now: 10.0.0.2/24 is left on eth0"},
		"no address":        {ports(br0), func(w *wires, u *Uplink) { u.Lease.Address, w.addrs = netip.Prefix{}, nil }, "", ""},
		"a ring of masters": {ports(br0.in(5)), func(w *wires, _ *Uplink) { w.addrs = []ifaceAddr{an("10.0.0.2/24", 5)} }, "", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			u, log := testUplink(), &lines{}
			if tt.change != nil {
				tt.change(tt.w, &u)
			}
			k := newKept(u)
			for i := range 3 { // it is logged once
				k.check(looked(tt.w, log, time.Hour+time.Duration(i)*20*time.Second))
			}
			if got := tt.w.took(); got != tt.did {
				t.Errorf("did %q, want %q", got, tt.did)
			}
			if got := strings.Join(*log, "; "); got != tt.log {
				t.Errorf("log %q, want %q", got, tt.log)
			}
		})
	}
}

// An address that was moved to a bridge returns with the link, and is restored at the right place.
func TestAddressLeavesBridge(t *testing.T) {
	w, log := ports(soft(5, "br0", "bridge", ourMAC)), &lines{}
	w.others = append(w.others, card(7, "eth1", otherMAC))
	k := newKept(testUplink())
	now := time.Hour
	step := func(want string) {
		t.Helper()
		for range 3 {
			k.check(looked(w, log, now))
			now += time.Second
		}
		if got := w.took(); got != want {
			t.Errorf("did %q, want %q", got, want)
		}
	}
	step("address 10.0.0.2/24 on 5, routes 2 to 5, no address 10.0.0.2/24 on 2")
	w.addrs = nil
	step("address 10.0.0.2/24 on 5")
	w.master = 0
	step("address 10.0.0.2/24 on 2, route default via 10.0.0.1 by 2, no address 10.0.0.2/24 on 5")
	if at := slices.Index(*log, "warning: network: eth0 is not a port of br0 any more: 10.0.0.2/24 moved to eth0"); at < 0 {
		t.Errorf("log %q", *log)
	}
}

// If a program moves the address back to the port again and again, the agent waits for longer each
// time.
func TestMovesAreDelayed(t *testing.T) {
	w, log := ports(soft(5, "br0", "bridge", ourMAC)), &lines{}
	k := newKept(testUplink())
	for i := range 600 {
		w.addrs = []ifaceAddr{an("10.0.0.2/24", 2)}
		k.check(looked(w, log, time.Hour+time.Duration(i)*time.Second))
	}
	if moved := strings.Count(w.took(), "no address"); moved < 12 || moved > 18 {
		t.Errorf("moved %d times in ten minutes", moved)
	}
}

// The ports of a bond may be down; a bridge, its port, and the bond may not.
func TestLinksThatMayBeDown(t *testing.T) {
	eth0 := card(2, "eth0", ourMAC)
	bond, bridge := soft(4, "bond0", "bond", ourMAC), soft(5, "br0", "bridge", ourMAC)
	for _, tt := range []struct {
		chain []link
		want  int
	}{
		{[]link{eth0}, 0},
		{[]link{eth0.down()}, 2},
		{[]link{eth0.down(), bond}, 0},
		{[]link{eth0, bond.down()}, 4},
		{[]link{eth0.down(), bridge}, 2},
		{[]link{eth0, bond.down(), bridge}, 4},
		{[]link{eth0, bond, bridge.down()}, 5},
	} {
		p := place{chain: tt.chain}
		if got := p.down(); got.index != tt.want {
			t.Errorf("%+v: %d is down", tt.chain, got.index)
		}
	}
}

// The routes of a VRF are in its table.
func TestRoutesOfVRF(t *testing.T) {
	red := soft(5, "red", "vrf", otherMAC)
	red.table = 10
	w, log := ports(red), &lines{}
	w.routes = map[string]int{}
	k := newKept(testUplink())
	k.check(looked(w, log, time.Hour))
	k.check(looked(w, log, time.Hour+time.Second))
	if got := w.took(); got != "route default via 10.0.0.1 by 2 in 10" {
		t.Errorf("did %q", got)
	}
}

// A neighbour is solicited by the link that has the address, once for all addresses there.
func TestNeighboursAreSolicitedAtPlace(t *testing.T) {
	w := ports(soft(5, "br0", "bridge", ourMAC))
	w.addrs = []ifaceAddr{an("10.0.0.2/24", 5), an("fd00::2/64", 5)}
	second := testUplink()
	second.Lease.Address, second.Lease.Routes = netip.MustParsePrefix("fd00::2/64"), nil
	k := newKeeper(faked{w}, &lines{}, []Uplink{testUplink(), second}, func() {})
	k.check()
	for _, index := range []int{2, 5, 9} {
		k.reprobeNeighbours(index)
	}
	if got := w.took(); got != "solicit 5, solicit 5" {
		t.Errorf("did %q", got)
	}
	if h := k.leaseHolder(0, testUplink().Lease); h.cfg.Interface != "br0" || !h.present || h.left != dhcp.Infinite {
		t.Errorf("the lease is of %+v", h)
	}
	const want = "link eth0 mac 52:54:00:77:00:01 address 10.0.0.2/24 by static state there put-back 0 now 10.0.0.2/24 place br0\n"
	if got := k.Report([]Uplink{testUplink()}); got != want {
		t.Errorf("report %q", got)
	}
	if got := fmt.Sprint(k.Ways()); got != "[{ invalid IP} {br0 invalid IP} { 10.0.0.2} { fd00::2}]" {
		t.Errorf("ways %s", got)
	}
}

// The driver of a bridge's port is reloaded: the bridge keeps the address, which follows the new
// link out of the bridge and back into it.
func TestDriverOfPortIsReloaded(t *testing.T) {
	w, log := ports(soft(5, "br0", "bridge", ourMAC)), &lines{}
	w.addrs, w.routes = []ifaceAddr{an("10.0.0.2/24", 5)}, map[string]int{"0.0.0.0/0": 5}
	k := newKept(testUplink())
	now := time.Hour
	step := func(want string) {
		t.Helper()
		for range 20 {
			k.check(looked(w, log, now))
			now += time.Second
		}
		if got := w.took(); got != want {
			t.Errorf("did %q, want %q", got, want)
		}
	}
	step("")
	w.there = false
	step("")
	w.there, w.index, w.master = true, 12, 5
	step("")
	w.there = false
	step("")
	w.there, w.index, w.master = true, 13, 0
	step("address 10.0.0.2/24 on 13, route default via 10.0.0.1 by 13, no address 10.0.0.2/24 on 5")
	w.master = 5
	step("address 10.0.0.2/24 on 5, routes 13 to 5, no address 10.0.0.2/24 on 13")
}

// A VLAN that the boot made goes down with the link below it, and cannot be set up before that is
// up (net/8021q/vlan_dev.c: vlan_dev_open).
func TestLinkBelowVLANIsDown(t *testing.T) {
	w, log := whole(), &lines{}
	w.kind, w.permanent, w.parent, w.vlan, w.up = "vlan", "", 5, 7, false
	w.others = []link{soft(5, "bond0", "bond", ourMAC).down()}
	k := newKept(testUplink())
	for i := range 3 {
		k.check(looked(w, log, time.Hour+time.Duration(i)*600*time.Millisecond))
	}
	if did := w.took(); did != "up 5" || len(*log) != 1 || (*log)[0] != "warning: network: bond0 was taken down: put back" {
		t.Errorf("did %q, log %q", did, *log)
	}
}

// The report shows the bridge's address while the driver of its port is reloaded.
func TestReportWhileDriverIsReloaded(t *testing.T) {
	w := ports(soft(5, "br0", "bridge", ourMAC))
	w.addrs = []ifaceAddr{an("10.0.0.2/24", 5)}
	k := newKeeper(faked{w}, &lines{}, []Uplink{testUplink()}, func() {})
	k.check()
	w.there = false
	for _, want := range []string{" state gone put-back 0 now 10.0.0.2/24 place br0\n", " state gone put-back 0 now - place br0\n"} {
		k.check()
		if got := k.Report([]Uplink{testUplink()}); !strings.HasSuffix(got, want) {
			t.Errorf("report %q, want %q", got, want)
		}
		w.addrs = nil
	}
}

// An agent that starts after the port has left its bridge finds the address there, and moves none
// from a bridge that the system is about to make.
func TestStartAfterPortLeftBridge(t *testing.T) {
	br0 := soft(5, "br0", "bridge", ourMAC)
	for name, tt := range map[string]struct {
		others []link
		addrs  []ifaceAddr
		did    string
	}{
		"no port is left": {
			[]link{br0},
			[]ifaceAddr{an("10.0.0.2/24", 5)},
			"address 10.0.0.2/24 on 2, route default via 10.0.0.1 by 2, no address 10.0.0.2/24 on 5",
		},
		"another port is left": {[]link{br0, card(7, "eth1", otherMAC).in(5)}, []ifaceAddr{an("10.0.0.2/24", 5)}, ""},
		"eth0 has it too":      {[]link{br0}, []ifaceAddr{an("10.0.0.2/24", 2), an("10.0.0.2/24", 5)}, ""},
		"another link has it":  {[]link{card(5, "eth1", otherMAC)}, []ifaceAddr{an("10.0.0.2/24", 5)}, ""},
	} {
		w := whole()
		w.others, w.addrs = tt.others, tt.addrs
		k := newKept(testUplink())
		for i := range 3 {
			k.check(looked(w, &lines{}, time.Hour+time.Duration(i)*time.Second))
		}
		if got := w.took(); got != tt.did {
			t.Errorf("%s: did %q, want %q", name, got, tt.did)
		}
	}
}
