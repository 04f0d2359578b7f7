package recovery

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

// wires is a kernel with one interface, which notes what is done to it.
type wires struct {
	mu sync.Mutex
	link
	there  bool
	addrs  []owned
	routes []string
	did    []string
	fail   error
	client bool          // a process looks after the address
	block  chan struct{} // not nil: adding an address waits for it
}

// locked takes the kernel's lock for one request.
func (w *wires) locked() func() { w.mu.Lock(); return w.mu.Unlock }

func (w *wires) find(Uplink) (link, bool) { defer w.locked()(); return w.link, w.there }

func (w *wires) addresses(int, bool) ([]owned, error) { defer w.locked()(); return w.addrs, nil }

func (w *wires) hasRoute(to netip.Prefix) bool {
	defer w.locked()()
	return slices.Contains(w.routes, to.String())
}

func (w *wires) note(format string, args ...any) error {
	w.did = append(w.did, fmt.Sprintf(format, args...))
	return w.fail
}

func (w *wires) askAgain(index int) error { defer w.locked()(); return w.note("ask %d", index) }

func (w *wires) dhcpClient(int, netip.Addr) bool { defer w.locked()(); return w.client }

func (w *wires) setUp(index int) error {
	defer w.locked()()
	w.up = true
	return w.note("up %d", index)
}

func (w *wires) addRoute(index int, r dhcp.Route) error {
	defer w.locked()()
	w.routes = append(w.routes, r.To.String())
	return w.note("route %v", r)
}

func (w *wires) addAddress(_ int, p netip.Prefix) error {
	if w.block != nil {
		<-w.block
	}
	defer w.locked()()
	w.addrs = append(w.addrs, owned{p, dhcp.Infinite})
	return w.note("address %v", p)
}

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
		link: link{index: 2, name: "eth0", up: true}, there: true,
		addrs: []owned{{netip.MustParsePrefix("10.0.0.2/24"), dhcp.Infinite}}, routes: []string{"0.0.0.0/0"},
	}
}

// Each change is what the system does to a whole uplink, and what the agent
// does and says a second later.
func TestKeep(t *testing.T) {
	tests := []struct {
		name   string
		change func(*wires, *Uplink)
		did    string
		log    string
	}{
		{"nothing", func(*wires, *Uplink) {}, "", ""},
		{"address gone", func(w *wires, _ *Uplink) { w.addrs = nil }, "up 2, address 10.0.0.2/24", "warning: network: eth0 lost 10.0.0.2/24: put back"},
		{
			"only a link-local one left", func(w *wires, _ *Uplink) { w.addrs = []owned{{netip.MustParsePrefix("169.254.1.1/16"), dhcp.Infinite}} },
			"up 2, address 10.0.0.2/24", "warning: network: eth0 lost 10.0.0.2/24: put back",
		},
		{"another address", func(w *wires, _ *Uplink) { w.addrs = []owned{{netip.MustParsePrefix("10.0.0.9/24"), time.Hour}} }, "", ""},
		{"down", func(w *wires, _ *Uplink) { w.up, w.routes = false, nil }, "up 2, address 10.0.0.2/24, route default via 10.0.0.1", "warning: network: eth0 was taken down: put back"},
		{"route gone", func(w *wires, _ *Uplink) { w.routes = nil }, "up 2, address 10.0.0.2/24, route default via 10.0.0.1", "warning: network: eth0 lost its route default via 10.0.0.1: put back"},
		{"not wanted", func(w *wires, u *Uplink) { w.addrs, u.Keep = nil, false }, "", "warning: network: eth0 lost 10.0.0.2/24: left as it is"},
		{"interface gone", func(w *wires, _ *Uplink) { w.there = false }, "", "warning: network: eth0 (52:54:00:77:00:01) is gone"},
		{"renamed", func(w *wires, _ *Uplink) { w.name = "ens3" }, "", "info: network: eth0 is called ens3 now"},
		{"no address of ours", func(w *wires, u *Uplink) { u.Lease.Address, w.addrs = netip.Prefix{}, nil }, "", ""},
		{"refused", func(w *wires, _ *Uplink) { w.addrs, w.fail = nil, fmt.Errorf("no") }, "up 2", "error: network: eth0 lost 10.0.0.2/24: put it back: no"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, u, log := whole(), testUplink(), &lines{}
			tt.change(w, &u)
			k := newKept(u)
			if k.check(time.Hour, w, log); len(w.did) > 0 {
				t.Errorf("did %v at once", w.did)
			}
			k.check(time.Hour+900*time.Millisecond, w, log)
			if len(w.did) > 0 {
				t.Errorf("did %v after 0.9 s", w.did)
			}
			k.check(time.Hour+time.Second, w, log)
			if got := strings.Join(w.did, ", "); got != tt.did {
				t.Errorf("did %q, want %q", got, tt.did)
			}
			if got := strings.Join(*log, "; "); got != tt.log {
				t.Errorf("log %q, want %q", got, tt.log)
			}
		})
	}
}

// Who takes the address away again and again gets his way for longer.
func TestKeepGivesWay(t *testing.T) {
	w, log := whole(), &lines{}
	k := newKept(testUplink())
	now := time.Hour
	for range 10 * 60 {
		w.addrs = nil
		k.check(now, w, log)
		now += time.Second
	}
	if k.putBack < 12 || k.putBack > 18 { // after 1, 2, 4, 8, 16, 32 and then each 60 s
		t.Errorf("put back %d times in ten minutes", k.putBack)
	}
}

// A card that is gone and comes back is told of once each.
func TestKeepDriverReloaded(t *testing.T) {
	w, log := whole(), &lines{}
	k := newKept(testUplink())
	for _, there := range []bool{true, false, false, true, true} {
		w.there, w.index = there, 7
		k.check(time.Hour, w, log)
	}
	if len(*log) != 2 || k.Index != 7 {
		t.Errorf("log %q, index %d", *log, k.Index)
	}
}

func TestFollow(t *testing.T) {
	k := newKeeper(nil, nil, nil, nil)
	heard := func() (Change, bool) {
		select {
		case u := <-k.changes:
			return u, true
		default:
			return Change{}, false
		}
	}
	k.began = time.Now().Add(-time.Hour)
	k.follow(2, true)
	if u, ok := heard(); !ok || u.Away != 0 {
		t.Errorf("a first carrier: %v %v", u, ok)
	}
	k.follow(2, false)
	k.follow(2, false)
	if _, ok := heard(); ok {
		t.Error("told of what went away")
	}
	k.away[2] -= time.Minute
	k.follow(2, true)
	k.follow("10.0.0.9", true) // of two that wait the longer one counts
	if u, ok := heard(); !ok || u.Away < time.Minute {
		t.Errorf("back after a minute: %v %v", u, ok)
	}
	for i := range 2 * maxAway {
		k.follow(fmt.Sprint(i), false)
	}
	if len(k.away) > maxAway {
		t.Errorf("remembers %d", len(k.away))
	}
	k.follow(2, false) // a card has its place, whoever is away
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

// A carrier that goes is told once, and does not hide one that came back and was
// not heard of.
func TestCarrierIsLost(t *testing.T) {
	w := whole()
	k := newKeeper(w, nil, []Uplink{testUplink()}, nil)
	carrier := func(flags uint32) {
		k.link(netlink.LinkUpdate{
			Header: unix.NlMsghdr{Type: unix.RTM_NEWLINK},
			Link:   &netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: 2, RawFlags: flags}},
		})
	}
	carrier(unix.IFF_UP | unix.IFF_LOWER_UP)
	carrier(unix.IFF_UP)
	if u := <-k.changes; !u.Lost {
		t.Errorf("lost: %+v", u)
	}
	carrier(unix.IFF_UP)
	if len(k.changes) > 0 {
		t.Errorf("told again: %+v", <-k.changes)
	}
	carrier(unix.IFF_UP | unix.IFF_LOWER_UP)
	if u := <-k.changes; u.Lost || !u.Up || u.Away <= 0 {
		t.Errorf("back: %+v", u)
	}
	carrier(unix.IFF_UP)
	carrier(unix.IFF_UP | unix.IFF_LOWER_UP)
	carrier(unix.IFF_UP)
	if u := <-k.changes; !u.Lost || !u.Up || u.Away <= 0 {
		t.Errorf("back for a moment while nobody looked: %+v", u)
	}
	for range 2 {
		k.askAgain(<-k.ask)
	}
	k.askAgain(99) // no uplink
	if !slices.Equal(w.did, []string{"ask 2", "ask 2"}) {
		t.Errorf("did %v: who is not asked at once answers a second later", w.did)
	}
}
