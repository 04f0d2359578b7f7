package uplink

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
	"github.com/iscsiroot/iscsiroot/pkg/recovery"
)

// lines is a log.
type lines []string

func (l *lines) Errorf(format string, args ...any) {
	*l = append(*l, "error: "+fmt.Sprintf(format, args...))
}

func (l *lines) Warnf(format string, args ...any) {
	*l = append(*l, "warning: "+fmt.Sprintf(format, args...))
}

func (l *lines) Infof(format string, args ...any) {
	*l = append(*l, "info: "+fmt.Sprintf(format, args...))
}

func testUplink() Uplink {
	return Uplink{Index: 2, MAC: "52:54:00:77:00:01", Keep: true, Lease: dhcp.Lease{
		Interface: "eth0", Method: dhcp.Static, Address: netip.MustParsePrefix("10.0.0.2/24"),
		Routes: []dhcp.Route{{To: netip.MustParsePrefix("0.0.0.0/0"), Via: netip.MustParseAddr("10.0.0.1")}},
	}}
}

func whole() *wires {
	return &wires{
		link: link{index: 2, name: "eth0", up: true, mac: "52:54:00:77:00:01", permanent: "52:54:00:77:00:01"}, there: true,
		addrs: []ifaceAddr{an("10.0.0.2/24", 2)}, routes: map[string]int{"0.0.0.0/0": 2},
	}
}

// looked is one look at a time after all sessions came up.
func looked(w *wires, log recovery.Logger, now time.Duration, sessions ...sessionUse) *snapshot {
	return &snapshot{nic: faked{w}, log: log, now: now, sessions: sessions, boots: []netip.Addr{netip.MustParseAddr("10.0.0.2")}}
}

// Each change is what the system does to a complete uplink, with what the agent does and logs a
// second later.
func TestKeep(t *testing.T) {
	leased := func(w *wires, u *Uplink) {
		u.Lease.Method, u.Lease.Obtained, w.addrs = dhcp.DHCP4, -time.Minute, nil
	}
	tests := []struct {
		name   string
		change func(*wires, *Uplink)
		did    string
		log    string
	}{
		{"nothing", func(*wires, *Uplink) {}, "", ""},
		{"address gone", func(w *wires, _ *Uplink) { w.addrs = nil }, "address 10.0.0.2/24 on 2", "warning: network: eth0 lost 10.0.0.2/24: put back"},
		{
			"address and route gone", func(w *wires, _ *Uplink) { w.addrs, w.routes = nil, map[string]int{} },
			"address 10.0.0.2/24 on 2, route default via 10.0.0.1 by 2", "warning: network: eth0 lost 10.0.0.2/24: put back",
		},
		{
			"only a link-local one left", func(w *wires, _ *Uplink) { w.addrs = []ifaceAddr{an("169.254.1.1/16", 2)} },
			"address 10.0.0.2/24 on 2", "warning: network: eth0 lost 10.0.0.2/24: put back",
		},
		{
			"only one of lo left", func(w *wires, _ *Uplink) { w.addrs = []ifaceAddr{an("127.0.0.1/8", 1), an("10.9.9.9/32", 1)} },
			"address 10.0.0.2/24 on 2", "warning: network: eth0 lost 10.0.0.2/24: put back",
		},
		{
			"only one of the other kind left", func(w *wires, _ *Uplink) { w.addrs = []ifaceAddr{an("fd00::2/64", 2)} },
			"address 10.0.0.2/24 on 2", "warning: network: eth0 lost 10.0.0.2/24: put back",
		},
		{"another address", func(w *wires, _ *Uplink) { w.addrs = []ifaceAddr{an("10.0.0.9/24", 2)} }, "", ""},
		{"another address of another card", func(w *wires, _ *Uplink) { w.addrs = []ifaceAddr{an("10.0.0.9/24", 7)} }, "", ""},
		{"its address at another card", func(w *wires, _ *Uplink) { w.addrs = []ifaceAddr{an("10.0.0.2/24", 7)} }, "", ""},
		{"and no route", func(w *wires, _ *Uplink) { w.addrs, w.routes = []ifaceAddr{an("10.0.0.2/24", 7)}, map[string]int{} }, "", ""},
		{"not to be seen", func(w *wires, _ *Uplink) { w.addrs, w.blind = nil, true }, "", ""},
		{"down", func(w *wires, _ *Uplink) { w.up = false }, "up 2", "warning: network: eth0 was taken down: put back"},
		{"down, another address", func(w *wires, _ *Uplink) { w.up, w.addrs = false, []ifaceAddr{an("10.0.0.9/24", 2)} }, "up 2", "warning: network: eth0 was taken down: put back"},
		{
			"route gone", func(w *wires, _ *Uplink) { w.routes = map[string]int{} },
			"route default via 10.0.0.1 by 2", "warning: network: eth0 lost its route default via 10.0.0.1: put back",
		},
		{"route gone with the address", func(w *wires, _ *Uplink) { w.routes, w.addrs = map[string]int{}, []ifaceAddr{an("10.0.0.9/24", 2)} }, "", ""},
		{"not wanted", func(w *wires, u *Uplink) { w.addrs, u.Keep = nil, false }, "", "warning: network: eth0 lost 10.0.0.2/24: not put back"},
		{
			"leased", func(w *wires, u *Uplink) { leased(w, u); u.Lease.SetTimes(2*time.Minute, 0, 0) },
			"address 10.0.0.2/24 on 2", "warning: network: eth0 lost 10.0.0.2/24: put back",
		},
		{
			"leased for ever", func(w *wires, u *Uplink) { leased(w, u); u.Lease.SetTimes(dhcp.Infinite, 0, 0) },
			"address 10.0.0.2/24 on 2", "warning: network: eth0 lost 10.0.0.2/24: put back",
		},
		{
			"its lease has run out", func(w *wires, u *Uplink) { leased(w, u); u.Lease.SetTimes(time.Minute, 0, 0) },
			"", "warning: network: eth0 lost 10.0.0.2/24, and its lease has expired: not put back",
		},
		{"interface gone", func(w *wires, _ *Uplink) { w.there = false }, "", "warning: network: eth0 (52:54:00:77:00:01) is gone"},
		{"renamed", func(w *wires, _ *Uplink) { w.name = "ens3" }, "", "info: network: eth0 was renamed to ens3"},
		{"no address of ours", func(w *wires, u *Uplink) { u.Lease.Address, w.addrs = netip.Prefix{}, nil }, "", ""},
		{"refused", func(w *wires, _ *Uplink) { w.addrs, w.fail = nil, fmt.Errorf("no") }, "address 10.0.0.2/24 on 2", "error: network: eth0 lost 10.0.0.2/24: put it back: no"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, u, log := whole(), testUplink(), &lines{}
			tt.change(w, &u)
			k := newKept(u)
			if k.check(looked(w, log, time.Hour)); len(w.did) > 0 {
				t.Errorf("did %v at once", w.did)
			}
			k.check(looked(w, log, time.Hour+900*time.Millisecond))
			if len(w.did) > 0 {
				t.Errorf("did %v after 0.9 s", w.did)
			}
			k.check(looked(w, log, time.Hour+time.Second))
			if got := strings.Join(w.did, ", "); got != tt.did {
				t.Errorf("did %q, want %q", got, tt.did)
			}
			if got := strings.Join(*log, "; "); got != tt.log {
				t.Errorf("log %q, want %q", got, tt.log)
			}
		})
	}
}

// If a program removes the address again and again, the agent restores it after longer pauses.
func TestRestoreIsDelayed(t *testing.T) {
	for name, take := range map[string]func(*wires){
		"the address": func(w *wires) { w.addrs = nil }, "the link down": func(w *wires) { w.up = false },
	} {
		w, log := whole(), &lines{}
		k := newKept(testUplink())
		now := time.Hour
		for range 10 * 60 {
			take(w)
			k.check(looked(w, log, now))
			now += time.Second
		}
		if k.putBack < 12 || k.putBack > 18 { // after 1, 2, 4, 8, 16, 32 and then each 60 s
			t.Errorf("%s: put back %d times in ten minutes", name, k.putBack)
		}
	}
}

// What was lost with a link that was set down is restored when it is up, without a second pause;
// the boot's address is not added beside one that was chosen meanwhile.
func TestDownAndUp(t *testing.T) {
	for name, tt := range map[string]struct {
		meanwhile func(*wires)
		did       string
	}{
		"routes":          {func(w *wires) { w.routes = map[string]int{} }, "route default via 10.0.0.1 by 2"},
		"all":             {func(w *wires) { w.addrs, w.routes = nil, map[string]int{} }, "address 10.0.0.2/24 on 2, route default via 10.0.0.1 by 2"},
		"another address": {func(w *wires) { w.addrs, w.routes = []ifaceAddr{an("10.0.0.9/24", 2)}, map[string]int{} }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w, log := whole(), &lines{}
			k := newKept(testUplink())
			w.up = false
			tt.meanwhile(w)
			k.check(looked(w, log, time.Hour))
			k.check(looked(w, log, time.Hour+time.Second))
			if got := w.took(); got != "up 2" {
				t.Errorf("did %q", got)
			}
			for i := range 5 { // and nothing later
				k.check(looked(w, log, time.Hour+time.Second+time.Duration(i)*10*time.Second))
				if got := w.took(); got != tt.did {
					t.Errorf("then did %q, want %q", got, tt.did)
				}
				tt.did = ""
			}
			if k.putBack != 1 {
				t.Errorf("put back %d times", k.putBack)
			}
		})
	}
}

// A NIC that is removed and returns is logged once each.
func TestKeepDriverReloaded(t *testing.T) {
	w, log := whole(), &lines{}
	k := newKept(testUplink())
	for _, there := range []bool{true, false, false, true, true} {
		if w.there = there; !there {
			w.index, w.addrs = 7, []ifaceAddr{an("10.0.0.2/24", 7)}
		}
		k.check(looked(w, log, time.Hour))
	}
	if len(*log) != 2 || k.Index != 7 {
		t.Errorf("log %q, index %d", *log, k.Index)
	}
}

func TestFollow(t *testing.T) {
	k := newKeeper(nil, nil, nil, nil)
	read := func() (recovery.Change, bool) {
		select {
		case u := <-k.changes:
			return u, true
		default:
			return recovery.Change{}, false
		}
	}
	k.began = time.Now().Add(-time.Hour)
	follow := func(what any, there bool) { k.send(k.track(what, there)) }
	follow(2, true)
	if u, ok := read(); !ok || u.Downtime != 0 {
		t.Errorf("a first carrier: %v %v", u, ok)
	}
	follow(2, false)
	follow(2, false)
	if _, ok := read(); ok {
		t.Error("a lost carrier was sent as a change")
	}
	k.away[2] -= time.Minute
	follow(2, true)
	follow("10.0.0.9", true) // of two that wait the longer one counts
	if u, ok := read(); !ok || u.Downtime < time.Minute {
		t.Errorf("back after a minute: %v %v", u, ok)
	}
	for i := range 2 * maxAway {
		follow(fmt.Sprint(i), false)
	}
	if len(k.away) > maxAway {
		t.Errorf("remembers %d", len(k.away))
	}
	follow(2, false) // a NIC is remembered, however many neighbours are
	if _, ok := k.away[2]; !ok {
		t.Error("has forgotten the card")
	}
	before := len(k.away)
	for i := range maxAway {
		for _, kind := range []uint16{unix.RTM_NEWLINK, unix.RTM_DELLINK} {
			k.link(netlink.LinkUpdate{
				Header: unix.NlMsghdr{Type: kind}, Link: &netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: 100 + i}},
			})
		}
	}
	if len(k.away) != before {
		t.Errorf("remembers %d more interfaces that are no more", len(k.away)-before)
	}
}

// A lost carrier is sent once, and does not hide one that returned and was not read.
func TestCarrierLoss(t *testing.T) {
	w := whole()
	k := newKeeper(faked{w}, nil, []Uplink{testUplink()}, nil)
	carrier := func(flags uint32) {
		k.link(netlink.LinkUpdate{
			Header: unix.NlMsghdr{Type: unix.RTM_NEWLINK},
			Link:   &netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: 2, RawFlags: flags}},
		})
	}
	carrier(unix.IFF_UP | unix.IFF_LOWER_UP)
	carrier(unix.IFF_UP)
	if u := <-k.changes; !u.CarrierLost {
		t.Errorf("lost: %+v", u)
	}
	carrier(unix.IFF_UP)
	if len(k.changes) > 0 {
		t.Errorf("sent again: %+v", <-k.changes)
	}
	carrier(unix.IFF_UP | unix.IFF_LOWER_UP)
	if u := <-k.changes; u.CarrierLost || !u.Up || u.Downtime <= 0 {
		t.Errorf("back: %+v", u)
	}
	carrier(unix.IFF_UP)
	carrier(unix.IFF_UP | unix.IFF_LOWER_UP)
	carrier(unix.IFF_UP)
	if u := <-k.changes; !u.CarrierLost || !u.Up || u.Downtime <= 0 {
		t.Errorf("back for a moment without a read: %+v", u)
	}
	for range 2 {
		k.reprobeNeighbours(<-k.reprobe)
	}
	k.reprobeNeighbours(99) // no uplink
	if !slices.Equal(w.did, []string{"solicit 2", "solicit 2"}) {
		t.Errorf("did %v: without a solicitation a neighbour answers a second later", w.did)
	}
}
