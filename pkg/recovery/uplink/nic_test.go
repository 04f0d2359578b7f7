package uplink

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/internal/nstest"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

// toLink reads the kernel's messages of each kind of link.
func TestToLink(t *testing.T) {
	attrs := func(index int) netlink.LinkAttrs {
		a := netlink.NewLinkAttrs()
		a.Index, a.Name, a.RawFlags, a.MasterIndex, a.ParentIndex = index, "x", unix.IFF_UP|unix.IFF_LOWER_UP, 8, 9
		a.HardwareAddr, a.PermHWAddr = []byte{2, 0, 0, 0, 0, 1}, []byte{2, 0, 0, 0, 0, 2}
		return a
	}
	base := link{index: 3, name: "x", up: true, mac: "02:00:00:00:00:01", permanent: "02:00:00:00:00:02", master: 8, parent: 9}
	with := func(f func(*link)) link { l := base; f(&l); return l }
	for _, tt := range []struct {
		l    netlink.Link
		want link
	}{
		{&netlink.Device{LinkAttrs: attrs(3)}, base},
		{&netlink.Vlan{LinkAttrs: attrs(3), VlanId: 5}, with(func(l *link) { l.kind, l.vlan = "vlan", 5 })},
		{&netlink.Vrf{LinkAttrs: attrs(3), Table: 10}, with(func(l *link) { l.kind, l.table = "vrf", 10 })},
		{&netlink.Bridge{LinkAttrs: attrs(3)}, with(func(l *link) { l.kind = "bridge" })},
		{&netlink.Tuntap{LinkAttrs: attrs(3)}, with(func(l *link) { l.kind = "tuntap" })},
		{&netlink.GenericLink{LinkAttrs: attrs(3), LinkType: "openvswitch"}, with(func(l *link) { l.kind = "openvswitch" })},
	} {
		if got := toLink(tt.l); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.l.Type(), got, tt.want)
		}
	}
	if got := toLink(&netlink.Device{}); got.mac != "" || got.permanent != "" || !got.noCarrier {
		t.Errorf("without a MAC and a carrier %+v", got)
	}
}

// wired is a machine in a network namespace: lan0 has the boot's addresses and routes, an agent
// manages them.
type wired struct {
	t      *testing.T
	lan    netlink.Link
	log    *journal
	keeper *Keeper
}

func (w *wired) uplink(address, via string) Uplink {
	u := Uplink{Index: w.lan.Attrs().Index, MAC: w.lan.Attrs().HardwareAddr.String(), Keep: true, Lease: dhcp.Lease{
		Interface: "lan0", Method: dhcp.Static, Address: netip.MustParsePrefix(address),
	}}
	to := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	if u.Lease.V6() {
		to = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	u.Lease.Routes = []dhcp.Route{{To: to, Via: netip.MustParseAddr(via)}}
	return u
}

// inWires runs a test of it.
func inWires(t *testing.T, test func(w *wired)) {
	t.Helper()
	nstest.Run(t, unix.CLONE_NEWNET, func() {
		lan, peer := vethPair(t, "lan0", "peer0")
		w := &wired{t: t, lan: lan, log: &journal{}}
		all := []Uplink{w.uplink("10.0.0.2/24", "10.0.0.1"), w.uplink("fd00::2/64", "fd00::1")}
		w.do(netlink.LinkSetUp(lan), netlink.LinkSetUp(peer))
		for _, u := range all {
			w.do(kernelNIC{}.addAddress(u.Index, u.Lease.Address), kernelNIC{}.addRoute(u.Index, u.Lease.Routes[0], 0))
		}
		w.keeper = newKeeper(kernelNIC{}, w.log, all, func() {})
		ctx, cancel := context.WithCancel(t.Context())
		var tasks sync.WaitGroup
		tasks.Go(func() { w.keeper.Watch(ctx) })
		tasks.Go(func() { w.keeper.Maintain(ctx) })
		defer tasks.Wait()
		defer cancel()
		w.until("its first look", func() bool { s := w.keeper.shown(); return s[0].uplink.Known && s[1].uplink.Known })
		test(w)
	})
}

func (w *wired) do(errs ...error) {
	w.t.Helper()
	if err := errors.Join(errs...); err != nil {
		w.t.Fatal(err)
	}
}

// until waits for something, for as long as the test may run.
func (w *wired) until(what string, is func() bool) {
	w.t.Helper()
	for end := time.Now().Add(30 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("not seen: %s: log %s", what, w.log.logged())
		}
	}
}

// add makes a link of a kind that container hosts' kernels have too. VLANs, bonds and VRFs are made
// in QEMU: integration's TestRootNetworkChanges.
func (w *wired) add(l netlink.Link) netlink.Link {
	w.t.Helper()
	w.do(netlink.LinkAdd(l))
	return linkOf(w.t, l.Attrs().Name)
}

func named(name string) netlink.LinkAttrs {
	a := netlink.NewLinkAttrs()
	a.Name = name
	return a
}

// whole reports whether a link, and no other, has the addresses and the routes.
func (w *wired) whole(l netlink.Link) bool {
	index := l.Attrs().Index
	for _, v6 := range []bool{false, true} {
		all, err := kernelNIC{}.addresses(v6)
		w.do(err)
		n := 0
		for _, o := range all {
			if o.global() {
				if n++; o.index != index {
					return false
				}
			}
		}
		routes, err := netlink.RouteList(nil, family(v6))
		w.do(err)
		for _, r := range routes {
			if bits, _ := r.Dst.Mask.Size(); bits == 0 {
				if n++; r.LinkIndex != index {
					return false
				}
			}
		}
		if n != 2 {
			return false
		}
	}
	return true
}

// sent reports whether a change was sent by which a source address may be another now.
func (w *wired) sent() bool {
	select {
	case c := <-w.keeper.changes:
		return c.AddressesChanged
	default:
		return false
	}
}

// A link that was made on another one, with its MAC, is not that one, and what the lower one has
// lost is restored there.
func TestAddressStaysBesideMacvlan(t *testing.T) {
	inWires(t, func(w *wired) {
		attrs := named("mac0")
		attrs.ParentIndex, attrs.HardwareAddr = w.lan.Attrs().Index, w.lan.Attrs().HardwareAddr
		mac := w.add(&netlink.Macvlan{LinkAttrs: attrs, Mode: netlink.MACVLAN_MODE_PASSTHRU})
		w.do(netlink.LinkSetUp(mac))
		w.flush(w.lan)
		w.until("the address of lan0", func() bool { return w.whole(w.lan) })
	})
}

// flush takes all global addresses away.
func (w *wired) flush(l netlink.Link) {
	list, err := netlink.AddrList(l, netlink.FAMILY_ALL)
	w.do(err)
	for _, a := range list {
		if a.Scope != unix.RT_SCOPE_LINK {
			w.do(netlink.AddrDel(l, &a))
		}
	}
}

// As typed: ip link set lan0 master br0; ip link set lan0 nomaster.
func TestMoveToBridge(t *testing.T) {
	inWires(t, func(w *wired) {
		bridge := w.add(&netlink.Bridge{LinkAttrs: named("br0")})
		w.sent()
		w.do(netlink.LinkSetMaster(w.lan, bridge))
		w.until("all on br0", func() bool { return w.whole(bridge) && linkOf(t, "br0").Attrs().RawFlags&unix.IFF_UP != 0 })
		w.until("the change is sent", w.sent)
		w.flush(bridge)
		w.until("put back on br0", func() bool { return w.whole(bridge) })
		w.do(netlink.LinkSetNoMaster(w.lan))
		w.until("all on lan0 again", func() bool { return w.whole(w.lan) })
		// An address has moved before the agent logs it.
		w.until("the last message", func() bool { return strings.Contains(w.log.logged(), "lan0 is not a port of br0 any more: fd00::2/64") })
		log := w.log.logged()
		for _, line := range []string{"lan0 is a port of br0 now: 10.0.0.2/24 moved to br0", "br0 lost fd00::2/64: put back", "lan0 is not a port of br0 any more: fd00::2/64 moved to lan0"} {
			if strings.Count(log, line) != 1 {
				t.Errorf("not logged once: %s: log %s", line, log)
			}
		}
	})
}

// As networkd does it: the bridge has the address first.
func TestBridgeHasAddressFirst(t *testing.T) {
	inWires(t, func(w *wired) {
		bridge := w.add(&netlink.Bridge{LinkAttrs: named("br0")})
		w.do(netlink.LinkSetUp(bridge))
		for _, p := range []string{"10.0.0.2/24", "fd00::2/64"} {
			w.do(kernelNIC{}.addAddress(bridge.Attrs().Index, netip.MustParsePrefix(p)))
		}
		w.do(netlink.LinkSetMaster(w.lan, bridge))
		w.until("all on br0", func() bool { return w.whole(bridge) })
	})
}

// The first address of a network is removed and the second one stays, as on a kernel that promotes
// secondary addresses itself.
func TestSecondaryAddressStays(t *testing.T) {
	nstest.Run(t, unix.CLONE_NEWNET, func() {
		lan, peer := vethPair(t, "lan0", "peer0")
		first, second := netip.MustParsePrefix("10.0.0.2/24"), netip.MustParsePrefix("10.0.0.4/24")
		index := lan.Attrs().Index
		err := errors.Join(netlink.LinkSetUp(lan), netlink.LinkSetUp(peer), kernelNIC{}.addAddress(index, first), kernelNIC{}.addAddress(index, second),
			kernelNIC{}.removeAddress(index, first))
		if err != nil {
			t.Fatal(err)
		}
		all, err := kernelNIC{}.addresses(false)
		if err != nil || len(all) != 1 || all[0].Prefix != second {
			t.Errorf("the addresses are %v, %v", all, err)
		}
		if b, err := os.ReadFile("/proc/sys/net/ipv4/conf/lan0/promote_secondaries"); string(b) != "0\n" || err != nil {
			t.Errorf("promote_secondaries is %q, %v", b, err)
		}
	})
}

// Another link's route of the same destination and metric stays when the uplink's is moved, a route
// without a gateway is moved while there is no carrier, and a route that cannot be moved does not
// prevent the others.
func TestMoveRoutes(t *testing.T) {
	nstest.Run(t, unix.CLONE_NEWNET, func() {
		lan, peer := vethPair(t, "lan0", "peer0")
		place, _ := vethPair(t, "place0", "peer1")
		beside, _ := vethPair(t, "beside0", "peer2")
		k, here := kernelNIC{}, func(l netlink.Link) int { return l.Attrs().Index }
		all := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		byGateway := func(l netlink.Link, gateway string) *netlink.Route {
			return toRoute(here(l), dhcp.Route{To: all, Via: netip.MustParseAddr(gateway)}, 0)
		}
		scoped := toRoute(here(lan), dhcp.Route{To: netip.MustParsePrefix("10.9.0.0/16")}, 0)
		// The kernel takes no gateway that is the machine's own, as this one becomes
		// (net/ipv4/fib_semantics.c: fib_check_nh_v4_gw).
		odd := toRoute(here(lan), dhcp.Route{To: netip.MustParsePrefix("10.8.0.0/16"), Via: netip.MustParseAddr("10.2.0.9")}, 0)
		err := errors.Join(netlink.LinkSetUp(lan), netlink.LinkSetUp(peer), netlink.LinkSetUp(place), netlink.LinkSetUp(beside),
			k.addAddress(here(lan), netip.MustParsePrefix("10.0.0.2/24")), k.addAddress(here(place), netip.MustParsePrefix("10.0.0.2/24")),
			k.addAddress(here(beside), netip.MustParsePrefix("10.1.0.2/24")),
			netlink.RouteAdd(byGateway(beside, "10.1.0.1")), netlink.RouteAppend(byGateway(lan, "10.0.0.1")),
			netlink.RouteAdd(scoped), netlink.RouteAdd(odd),
			k.addAddress(here(beside), netip.MustParsePrefix("10.2.0.9/32")), netlink.LinkSetDown(peer))
		if err != nil {
			t.Fatal(err)
		}
		if err := k.moveRoutes(here(lan), here(place), false); err == nil || !strings.Contains(err.Error(), "10.8.0.0/16") {
			t.Errorf("a route that cannot be moved: %v", err)
		}
		list, err := netlink.RouteListFiltered(unix.AF_INET, &netlink.Route{Table: unix.RT_TABLE_MAIN}, netlink.RT_FILTER_TABLE)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range list {
			if r.Protocol != unix.RTPROT_KERNEL && r.Dst.String() != "10.8.0.0/16" {
				got = append(got, fmt.Sprint(r.Dst, " ", r.Gw, " by ", r.LinkIndex))
			}
		}
		slices.Sort(got)
		want := []string{fmt.Sprint("0.0.0.0/0 10.0.0.1 by ", here(place)), fmt.Sprint("0.0.0.0/0 10.1.0.1 by ", here(beside)), fmt.Sprint("10.9.0.0/16 <nil> by ", here(place))}
		if !slices.Equal(got, want) {
			t.Errorf("routes %q, want %q", got, want)
		}
	})
}

// The address of a bridge that is deleted is restored on its port.
func TestBridgeIsDeleted(t *testing.T) {
	inWires(t, func(w *wired) {
		bridge := w.add(&netlink.Bridge{LinkAttrs: named("br0")})
		w.do(netlink.LinkSetMaster(w.lan, bridge))
		w.until("all on br0", func() bool { return w.whole(bridge) })
		w.do(netlink.LinkDel(bridge))
		w.until("all on lan0 again", func() bool { return w.whole(w.lan) })
	})
}
