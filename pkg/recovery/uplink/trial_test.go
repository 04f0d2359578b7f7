package uplink

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
	"github.com/iscsiroot/iscsiroot/pkg/recovery"
	"github.com/iscsiroot/iscsiroot/pkg/session"
)

var (
	ours  = netip.MustParseAddr("10.0.0.2")
	other = netip.MustParseAddr("10.0.0.9")
)

// chosen is a machine to which the administrator has given another address.
func chosen() *wires {
	w := whole()
	w.addrs = []ifaceAddr{an("10.0.0.9/24", 2)}
	return w
}

// The boot's address is restored beside the administrator's only after a session was down for ten
// seconds, and is removed when no session needs it any more.
func TestTrial(t *testing.T) {
	w, log := chosen(), &lines{}
	k := newKept(testUplink())
	var now time.Duration
	at := func(seconds float64, s ...sessionUse) string {
		t.Helper()
		now = time.Hour + time.Duration(seconds*float64(time.Second))
		for i := range s {
			if s[i].since >= 0 {
				s[i].since += time.Hour
			}
		}
		k.check(looked(w, log, now, s...))
		return w.took()
	}
	up := sessionUse{since: -1, source: other}
	down := sessionUse{since: 100 * time.Second, source: ours}
	for i := range 100 {
		if did := at(float64(i), up); did != "" {
			t.Fatalf("did %q while the sessions are up", did)
		}
	}
	if did := at(109.9, up, down); did != "" {
		t.Errorf("did %q after 9.9 s", did)
	}
	w.routes = map[string]int{}
	if did := at(110, up, down); did != "address 10.0.0.2/24 on 2, route default via 10.0.0.1 by 2" || !k.Temporary {
		t.Errorf("did %q after 10 s", did)
	}
	for _, s := range []sessionUse{{since: 100 * time.Second, source: other}, {since: -1, source: ours}, {since: -1}} {
		if did := at(120, up, s); did != "" {
			t.Errorf("%+v: did %q", s, did)
		}
	}
	if did := at(130, up, up); did != "no route default via 10.0.0.1 by 2, no address 10.0.0.2/24 on 2" || k.Temporary {
		t.Errorf("did %q when no session needs it", did)
	}
	for i := range 100 {
		if did := at(131+float64(i), up); did != "" {
			t.Fatalf("did %q later", did)
		}
	}
	want := lines{
		"warning: network: no address of eth0 reaches a target for 10 s: 10.0.0.2/24 put back beside 10.0.0.9/24",
		"warning: network: 10.0.0.2/24 removed from eth0 again: the sessions use other addresses",
	}
	if diff := cmp.Diff(want, *log); diff != "" {
		t.Error(diff)
	}
}

// A session is down for an hour.
func TestNoTrial(t *testing.T) {
	down := sessionUse{since: 0, source: ours}
	for name, tt := range map[string]struct {
		change func(*wires, *Uplink)
		use    sessionUse
		did    string
		log    string
	}{
		"as it is":         {nil, down, "address 10.0.0.2/24 on 2", "put back beside 10.0.0.9/24"},
		"source not known": {nil, sessionUse{since: 0}, "address 10.0.0.2/24 on 2", "put back beside 10.0.0.9/24"},
		"beside many": {
			func(w *wires, _ *Uplink) {
				w.addrs = append(w.addrs, an("10.1.0.9/24", 4), an("10.2.0.9/24", 4), an("10.3.0.9/24", 4), an("10.4.0.9/24", 4))
			},
			down, "address 10.0.0.2/24 on 2", "put back beside 10.0.0.9/24, 10.1.0.9/24, 10.2.0.9/24, 10.3.0.9/24, ...",
		},
		"not to be kept":  {func(_ *wires, u *Uplink) { u.Keep = false }, down, "", "eth0 lost 10.0.0.2/24: not put back"},
		"lease ran out":   {func(_ *wires, u *Uplink) { u.Lease.SetTimes(time.Second, 0, 0); u.Lease.Obtained = -time.Minute }, down, "", "and its lease has expired"},
		"of IPv6":         {nil, sessionUse{since: 0, source: netip.MustParseAddr("fd00::1")}, "", ""},
		"of another card": {nil, sessionUse{since: 0, source: netip.MustParseAddr("10.0.1.2")}, "", ""},
		"Open vSwitch": {func(w *wires, _ *Uplink) {
			w.master, w.others = 5, []link{soft(5, "ovs-system", "openvswitch", otherMAC)}
		}, down, "", "is not moved"},
		"at another place": {func(w *wires, _ *Uplink) { w.addrs = append(w.addrs, an("10.0.0.2/24", 7)) }, down, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w, u, log := chosen(), testUplink(), &lines{}
			if tt.change != nil {
				tt.change(w, &u)
			}
			k := newKept(u)
			for i := range 3 {
				a := looked(w, log, time.Hour+time.Duration(i)*time.Second, tt.use)
				a.boots = append(a.boots, netip.MustParseAddr("10.0.1.2"))
				k.check(a)
			}
			if got := w.took(); got != tt.did {
				t.Errorf("did %q, want %q", got, tt.did)
			}
			if got := strings.Join(*log, "; "); !strings.Contains(got, tt.log) || tt.log == "" && got != "" || len(*log) > 1 {
				t.Errorf("log %q, want %q", got, tt.log)
			}
		})
	}
}

// A temporary address that is the only one left stays; one that a program removes again and again
// is restored after longer pauses.
func TestTemporaryAddressStays(t *testing.T) {
	w, log := chosen(), &lines{}
	k := newKept(testUplink())
	down := sessionUse{since: 0, source: ours}
	k.check(looked(w, log, time.Hour, down))
	w.addrs = w.addrs[1:]
	for i := range 2 {
		k.check(looked(w, log, time.Hour+time.Duration(i)*slowManagerTime, sessionUse{since: -1, source: other}))
	}
	if got := w.took(); got != "address 10.0.0.2/24 on 2" || k.Temporary {
		t.Errorf("did %q, temporary %v", got, k.Temporary)
	}
	k = newKept(testUplink())
	for i := range 600 {
		w.addrs = []ifaceAddr{an("10.0.0.9/24", 2)}
		k.check(looked(w, log, 2*time.Hour+time.Duration(i)*time.Second, down))
	}
	if k.putBack < 12 || k.putBack > 18 {
		t.Errorf("put back %d times in ten minutes", k.putBack)
	}
}

// A network manager removes the boot's address, and adds its own after the agent has restored the
// boot's: that is removed as soon as the session uses the manager's.
func TestSlowNetworkManager(t *testing.T) {
	for _, after := range []time.Duration{10 * time.Second, 2 * slowManagerTime} {
		w, log := chosen(), &lines{}
		k := newKept(testUplink())
		managers := w.addrs[0]
		w.addrs = nil
		for i := range 3 {
			k.check(looked(w, log, time.Hour+time.Duration(i)*time.Second, sessionUse{since: time.Hour, source: ours}))
		}
		if got := w.took(); got != "address 10.0.0.2/24 on 2" || !k.Temporary {
			t.Fatalf("did %q, temporary %v", got, k.Temporary)
		}
		k.check(looked(w, log, time.Hour+after, sessionUse{since: -1, source: ours}))
		w.addrs = append(w.addrs, managers)
		k.check(looked(w, log, time.Hour+after+time.Second, sessionUse{since: -1, source: other}))
		want := "no address 10.0.0.2/24 on 2"
		if after > slowManagerTime {
			want = "" // it is the only one, and stays when another comes
		}
		if got := w.took(); got != want {
			t.Errorf("after %v: did %q", after, got)
		}
	}
}

// The agent reports a session that is down to the keeper, whose clock runs without a further
// report; the agent, and the next worker, get the temporary address.
func TestTrialAfterAgentReport(t *testing.T) {
	w := chosen()
	setup := func() func() (subscription, error) {
		h := newFed()
		return func() (subscription, error) { return h, nil }
	}
	keeping(t, w, setup, func(t *testing.T, k *Keeper, _ *journal) {
		time.Sleep(time.Hour + time.Second)
		k.SetSessions([]recovery.Status{{Up: true, Source: other}, {Source: ours, Down: time.Minute, Tried: 2 * time.Second}, {Ended: true}})
		time.Sleep(7900 * time.Millisecond)
		synctest.Wait()
		if got := w.took(); got != "" {
			t.Errorf("did %q after 9.9 s", got)
		}
		time.Sleep(200 * time.Millisecond)
		synctest.Wait()
		if got := w.took(); got != "address 10.0.0.2/24 on 2" {
			t.Errorf("did %q after 10.1 s", got)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := fmt.Sprint(k.Temporary()); got != "[10.0.0.2]" {
			t.Errorf("temporary %s", got)
		}
		want := []session.Way{{}, {Source: other}, {Source: ours}} // what is to go comes last
		if diff := cmp.Diff(want, k.Ways(), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
			t.Error(diff)
		}
		state := []Uplink{testUplink()}
		if !k.UpdateState(state) || !state[0].Temporary || !state[0].Known || state[0].Permanent != ourMAC || k.UpdateState(state) {
			t.Errorf("state %+v", state)
		}
		if got := k.Report(state); !strings.HasSuffix(got, " now 10.0.0.9/24,10.0.0.2/24 temporary 10.0.0.2/24\n") {
			t.Errorf("report %q", got)
		}
		next := newKeeper(faked{w}, &lines{}, state, func() {})
		if got := fmt.Sprint(next.Temporary()); got != "[10.0.0.2]" {
			t.Errorf("the next worker's temporary %s", got)
		}
		k.SetSessions([]recovery.Status{{Up: true, Source: other}, {Up: true, Source: other}})
		synctest.Wait()
		if got := w.took(); got != "no address 10.0.0.2/24 on 2" || len(k.Temporary()) > 0 {
			t.Errorf("did %q, temporary %v", got, k.Temporary())
		}
		k.SetSessions([]recovery.Status{{Up: true, Source: other}, {Up: true, Source: other}}) // the same: nothing to look for
		if len(k.wake) > 0 {
			t.Error("looked for nothing")
		}
	})
}

// An outage counts from when the agent detected it: since then a login was tried, not since the
// target's last answer.
func TestTrialCountsTriedTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKeeper(faked{chosen()}, &lines{}, []Uplink{testUplink()}, func() {})
		time.Sleep(time.Hour)
		k.SetSessions([]recovery.Status{{Down: 55 * time.Second, Tried: 10 * time.Second}})
		if got := k.now() - k.uses[0].since; got != 10*time.Second {
			t.Errorf("as the keeper sees it %v", got)
		}
	})
}

// A lease that is renewed meanwhile has not expired.
func TestRenewedLeaseHasNotExpired(t *testing.T) {
	u := testUplink()
	u.Lease.Method = dhcp.DHCP4
	u.Lease.SetTimes(time.Minute, 0, 0)
	w := whole()
	w.addrs = nil
	k := newKeeper(faked{w}, &lines{}, []Uplink{u}, func() {})
	k.clock = func() time.Duration { return time.Hour }
	l := u.Lease
	l.Obtained = time.Hour - 30*time.Second
	k.setLease(0, l)
	k.began = k.began.Add(-time.Hour)
	k.check()
	k.began = k.began.Add(-2 * time.Second)
	k.check()
	if got := w.took(); got != "address 10.0.0.2/24 on 2" {
		t.Errorf("did %q", got)
	}
}

func TestWays(t *testing.T) {
	uplinks := func(us ...Uplink) (all []*uplinkState) {
		for _, u := range us {
			all = append(all, newKept(u))
		}
		return all
	}
	v6 := testUplink()
	v6.Lease.Address = netip.MustParsePrefix("fd00::2/64")
	inVRF := uplinks(testUplink(), testUplink())
	for _, k := range inVRF {
		k.place.upper = link{index: 5, name: "red", kind: "vrf"}
	}
	local := testUplink()
	local.Lease.Address = netip.MustParsePrefix("fe80::2/64")
	bridged := uplinks(local, testUplink())
	for _, k := range bridged {
		k.place.chain = append(k.place.chain, link{index: 5, name: "br0", kind: "bridge"})
	}
	var many []ifaceAddr
	for i := range 20 {
		many = append(many, an(fmt.Sprintf("10.0.1.%d/24", i), 2))
	}
	tests := map[string]struct {
		addrs   []ifaceAddr
		uplinks []*uplinkState
		want    string
	}{
		"none":       {nil, uplinks(testUplink()), "[{ invalid IP}]"},
		"one":        {[]ifaceAddr{an("10.0.0.2/24", 2), an("127.0.0.1/8", 1), an("fd00::3/64", 2)}, uplinks(testUplink()), "[{ invalid IP}]"},
		"two":        {[]ifaceAddr{an("10.0.0.2/24", 2), an("10.0.0.9/24", 7)}, uplinks(testUplink(), testUplink()), "[{ invalid IP} { 10.0.0.2} { 10.0.0.9}]"},
		"of lo":      {[]ifaceAddr{an("10.0.0.2/24", 2), an("10.0.0.9/32", 1)}, uplinks(testUplink()), "[{ invalid IP} { 10.0.0.2} { 10.0.0.9}]"},
		"both kinds": {[]ifaceAddr{an("10.0.0.2/24", 2), an("fd00::2/64", 2), an("fe80::2/64", 2)}, uplinks(testUplink(), v6), "[{ invalid IP} { 10.0.0.2} { fd00::2}]"},
		"bridged":    {[]ifaceAddr{an("10.0.0.2/24", 5), an("fe80::2/64", 5)}, bridged, "[{ invalid IP} {br0 invalid IP}]"},
		"VRF":        {[]ifaceAddr{an("10.0.0.2/24", 2)}, inVRF, "[{ invalid IP} {red invalid IP}]"},
		"VRF, two":   {[]ifaceAddr{an("10.0.0.2/24", 2), an("10.0.0.9/24", 7)}, inVRF, "[{ invalid IP} {red invalid IP} {red 10.0.0.2} { 10.0.0.9}]"},
		"many":       {many, uplinks(testUplink()), "[{ invalid IP} { 10.0.1.0} { 10.0.1.1} { 10.0.1.2} { 10.0.1.3} { 10.0.1.4} { 10.0.1.5} { 10.0.1.6} { 10.0.1.7}]"},
	}
	for name, tt := range tests {
		if got := fmt.Sprint(waysOf(looked(&wires{addrs: tt.addrs}, nil, 0), tt.uplinks)); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

// Addresses of bridges for containers and of links without a carrier are not the administrator's
// choice, and sessions do not move there.
func TestInnerAddresses(t *testing.T) {
	docker, eth1 := soft(7, "docker0", "bridge", otherMAC), card(8, "eth1", otherMAC)
	guest, tap := soft(9, "veth0", "veth", otherMAC).in(7), soft(10, "tap0", "tuntap", otherMAC).in(7)
	silent := func(l link) link { l.noCarrier = true; return l }
	for name, tt := range map[string]struct {
		all    []link
		at     int // the other address
		source netip.Addr
		chosen bool
	}{
		"docker0 without containers": {[]link{silent(docker)}, 7, ours, false},
		"docker0 with containers":    {[]link{docker, guest, tap}, 7, ours, false},
		"a bridge with a NIC":        {[]link{docker, guest, eth1.in(7)}, 7, ours, true},
		"another NIC":                {[]link{eth1}, 8, ours, true},
		"another NIC, no carrier":    {[]link{silent(eth1)}, 8, ours, false},
		"that the session goes by":   {[]link{silent(eth1)}, 8, other, true},
		"our own NIC, no carrier":    {[]link{eth1}, 2, ours, true},
		"a link that is not known":   {nil, 7, ours, true},
		"a dummy":                    {[]link{soft(7, "dummy0", "dummy", otherMAC)}, 7, ours, true},
		"a tunnel":                   {[]link{soft(7, "wg0", "wireguard", otherMAC)}, 7, ours, true},
	} {
		t.Run(name, func(t *testing.T) {
			w, log := whole(), &lines{}
			w.noCarrier, w.others, w.addrs = tt.at == 2, tt.all, []ifaceAddr{an("10.0.0.9/24", tt.at)}
			k := newKept(testUplink())
			for i := range 3 {
				k.check(looked(w, log, time.Hour+time.Duration(i)*time.Second, sessionUse{since: -1, source: tt.source}))
			}
			if put := w.took() != ""; put == tt.chosen {
				t.Errorf("put back: %v", put)
			}
			if k.hasOthers(looked(w, log, time.Hour)) != (k.Temporary && tt.chosen) {
				t.Error("the session is to leave")
			}
		})
	}
}

// Sessions that are to leave a temporary address do not move to one of a bridge for containers,
// whose connections NAT may send by the temporary one.
func TestNoMoveToInnerAddress(t *testing.T) {
	w := whole()
	w.others = []link{soft(7, "docker0", "bridge", otherMAC), soft(9, "veth0", "veth", otherMAC).in(7)}
	w.addrs = append(w.addrs, an("172.17.0.1/16", 7))
	k := newKept(testUplink())
	a := looked(w, &lines{}, time.Hour)
	k.check(a)
	k.Temporary = true
	if k.hasOthers(a) || len(waysOf(a, []*uplinkState{k})) != 3 {
		t.Errorf("ways %v", waysOf(a, []*uplinkState{k}))
	}
	w.addrs = append(w.addrs, an("10.0.0.9/24", 2))
	a = looked(w, &lines{}, time.Hour)
	if got := fmt.Sprint(waysOf(a, []*uplinkState{k})); !k.hasOthers(a) || got != "[{ invalid IP} { 10.0.0.9} { 10.0.0.2}]" {
		t.Errorf("ways %s", got)
	}
}

// An address that was restored where no other was chosen is not temporary: the boot's other address
// belongs to another path.
func TestRestoredAddressIsNotTemporary(t *testing.T) {
	w := whole()
	w.addrs, w.others = []ifaceAddr{an("10.0.1.2/24", 7)}, []link{card(7, "eth1", otherMAC)}
	second := testUplink()
	second.Index, second.MAC, second.Lease.Address = 7, otherMAC, w.addrs[0].Prefix
	k := newKeeper(faked{w}, &lines{}, []Uplink{testUplink(), second}, func() {})
	now := time.Duration(0)
	for range 3 {
		k.began = time.Now().Add(-now)
		k.check()
		now += 2 * time.Second
	}
	if len(w.addrs) != 2 || !k.uplinks[0].Temporary || len(k.Temporary()) > 0 {
		t.Errorf("addresses %v, to be left %v", w.addrs, k.Temporary())
	}
}
