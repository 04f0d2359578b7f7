package recovery

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/session"
)

var (
	oldAddr = netip.MustParseAddr("10.77.0.2")
	newAddr = netip.MustParseAddr("10.77.0.3")
	sixAddr = netip.MustParseAddr("fd00::3")
)

// move makes the network one with other addresses.
func (r *rig) move(change func()) {
	r.mu.Lock()
	change()
	r.mu.Unlock()
	r.network <- Change{AddressesChanged: true}
}

// at lets the session's connection have an address.
func (r *rig) at(addr netip.Addr) {
	r.set(func(f *fake) { f.via, f.dialVia = session.Way{Source: addr}, session.Way{Source: addr} })
}

// The source address of the connection is removed and another one exists, at that time or later: a
// login from that address follows immediately.
func TestLoginFromAnotherAddressWhenSourceIsRemoved(t *testing.T) {
	for name, later := range map[string]time.Duration{"at once": 0, "after 20 s": 20 * time.Second} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(t *testing.T, r *rig) {
				r.at(oldAddr)
				time.Sleep(15 * time.Second)
				comes := func() {
					r.dialErr, r.dialVia.Source, r.ways = nil, newAddr, []session.Way{{}, {Source: newAddr}}
				}
				r.move(func() {
					r.removed, r.dialErr = []netip.Addr{oldAddr}, errors.New("network is unreachable")
					if later == 0 {
						comes()
					}
				})
				if later > 0 {
					time.Sleep(later)
					if !r.isUp() || r.loginCount() > 0 {
						t.Error("what the kernel has was disturbed")
					}
					r.move(comes)
				}
				time.Sleep(50 * time.Millisecond)
				if !r.isUp() || r.loginCount() != 1 || r.state().Source != newAddr || !slices.Equal(r.waysTried, r.ways) {
					t.Errorf("up %v after %d logins, ways %v, status %+v", r.isUp(), r.loginCount(), r.waysTried, r.state())
				}
				if !r.sawLog("connection lost: its address 10.77.0.2 is gone: logging in again", ", from 10.77.0.3") {
					t.Error("the message is missing")
				}
			})
		})
	}
}

// The survey detects a removed address whose message was lost.
func TestRemovedSourceIsFoundBySurvey(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.at(oldAddr)
		time.Sleep(time.Second)
		r.set(func(f *fake) { f.dialVia.Source = newAddr })
		r.mu.Lock()
		r.removed = []netip.Addr{oldAddr}
		r.mu.Unlock()
		time.Sleep(31 * time.Second)
		if r.loginCount() != 1 || r.state().Source != newAddr {
			t.Errorf("%d logins, status %+v", r.loginCount(), r.state())
		}
	})
}

// An address that is added again before a login from another one succeeds: the connection was not
// changed, and is checked for a stall for a while.
func TestSourceReturnsBeforeLogin(t *testing.T) {
	for name, moves := range map[string]int{"moves": 0, "does not move": 1} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(t *testing.T, r *rig) {
				r.at(oldAddr)
				r.set(func(f *fake) { f.dialErr = errors.New("network is unreachable") })
				r.move(func() { r.removed = []netip.Addr{oldAddr} })
				time.Sleep(3 * time.Second)
				r.move(func() { r.removed, r.dialErr, r.waiting = nil, nil, moves })
				time.Sleep(20 * time.Millisecond)
				if r.loginCount() != 0 || !r.state().Up || !r.sawLog("its address 10.77.0.2 is gone", "recovered without a login after 3.0 s") {
					t.Errorf("%d logins, status %+v", r.loginCount(), r.state())
				}
				time.Sleep(time.Second)
				if r.loginCount() != moves {
					t.Errorf("%d logins although commands wait: %d", r.loginCount(), moves)
				}
			})
		})
	}
}

// The kernel ends the connection while its address is removed: the session needs a login, although
// the address exists again.
func TestConnectionEndsWhileSourceIsRemoved(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.at(oldAddr)
		r.set(func(f *fake) { f.dialErr = errors.New("network is unreachable") })
		r.move(func() { r.removed = []netip.Addr{oldAddr} })
		time.Sleep(3 * time.Second)
		r.set(func(f *fake) { f.up = false })
		r.events <- kernel.Event{SID: 1, Stops: r.Stops(), Err: kernel.PingTimedOut}
		r.move(func() { r.removed, r.dialErr = nil, nil })
		time.Sleep(50 * time.Millisecond)
		if r.loginCount() != 1 || !r.isUp() {
			t.Errorf("up %v after %d logins", r.isUp(), r.loginCount())
		}
	})
}

// A session that iscsid is to log in, or whose source address is not known, is not changed.
func TestSourceOfForeignSessionIsIgnored(t *testing.T) {
	for name, set := range map[string]func(r *rig){
		"iscsid's": func(r *rig) { r.listeners = []uint32{99} },
		"unknown":  func(r *rig) { r.via.Source = netip.Addr{}; r.removed = []netip.Addr{{}} },
		"ended":    func(r *rig) { r.ended, r.up = true, false },
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(t *testing.T, r *rig) {
				r.at(oldAddr)
				r.mu.Lock()
				r.removed = []netip.Addr{oldAddr}
				set(r)
				r.mu.Unlock()
				time.Sleep(31 * time.Second)
				r.network <- Change{AddressesChanged: true}
				time.Sleep(time.Second)
				if r.dialCount() != 0 {
					t.Errorf("%d dials", r.dialCount())
				}
			})
		})
	}
}

// A connection from a temporary address is moved to another address as soon as a connection from
// that one succeeds, and the log has it as a move.
func TestMoveFromTemporaryAddress(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.at(oldAddr)
		r.mu.Lock()
		r.temporary, r.ways = []netip.Addr{oldAddr}, []session.Way{{}, {Source: oldAddr}}
		r.mu.Unlock()
		time.Sleep(57 * time.Second)
		if r.dialCount() != 0 {
			t.Fatalf("%d dials without another address", r.dialCount())
		}
		r.move(func() {
			r.ways = append(r.ways, session.Way{Source: newAddr}, session.Way{Source: sixAddr})
			r.dialErr = errors.New("connection timed out")
		})
		time.Sleep(16 * time.Second)
		if n := r.dialCount(); n != 4 || r.loginCount() != 0 || !r.state().Up || !slices.Equal(r.waysTried, r.ways[2:]) {
			t.Fatalf("%d dials by %v, %d logins", n, r.waysTried, r.loginCount())
		}
		r.set(func(f *fake) { f.dialErr, f.dialVia.Source = nil, newAddr })
		time.Sleep(5 * time.Second)
		if s := r.state(); r.loginCount() != 1 || s.Source != newAddr || s.Outages != 1 || !s.Up {
			t.Errorf("%d logins, status %+v", r.loginCount(), s)
		}
		if !r.sawLog("warning: session 1 to iqn.test:t: moved from 10.77.0.2 to 10.77.0.3") || r.sawLog("connection lost") {
			t.Error("the message is missing")
		}
		time.Sleep(time.Hour)
		if r.dialCount() != 5 {
			t.Errorf("%d dials by the address that stays", r.dialCount())
		}
	})
}

// A login from the other address that fails is an outage, which a login from the temporary address
// ends. It is tried again only after a pause, or when the addresses change.
func TestMoveFromTemporaryAddressFails(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.at(oldAddr)
		r.mu.Lock()
		r.temporary, r.ways = []netip.Addr{oldAddr}, []session.Way{{}, {Source: newAddr}}
		r.loginErr = errors.New("target closed the connection")
		r.mu.Unlock()
		time.Sleep(100 * time.Millisecond)
		if r.loginCount() == 0 || !r.sawLog("connection lost: given up for a login from an address that is not temporary, as 10.77.0.2 is: logging in again") {
			t.Errorf("%d logins", r.loginCount())
		}
		r.set(func(f *fake) { f.loginErr = nil })
		time.Sleep(time.Second)
		if !r.isUp() || r.state().Source != oldAddr {
			t.Errorf("up %v, status %+v", r.isUp(), r.state())
		}
		r.set(func(f *fake) { f.loginErr = errors.New("target closed the connection") })
		for range 60 {
			time.Sleep(time.Second)
			r.network <- Change{AddressesChanged: true}
			r.set(func(f *fake) { f.loginErr = map[bool]error{true: errors.New("target closed the connection")}[f.up] })
		}
		if n := r.state().Outages; n < 3 || n > 5 { // after 5, 10 and 20 s
			t.Errorf("%d outages in a minute", n)
		}
		r.set(func(f *fake) { f.loginErr, f.dialVia.Source = nil, sixAddr })
		r.move(func() { r.ways = append(r.ways, session.Way{Source: sixAddr}) })
		time.Sleep(time.Second)
		if r.state().Source != sixAddr || !r.sawLog("moved from 10.77.0.2 to fd00::3") {
			t.Errorf("status %+v", r.state())
		}
	})
}

// A source address that the kernel never shows causes a few logins, not an endless series.
func TestSourceNeverVisible(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.at(oldAddr)
		r.move(func() { r.removed = []netip.Addr{oldAddr} })
		time.Sleep(time.Hour)
		if n := r.loginCount(); n > maxUnseenSources+1 || !r.state().Up {
			t.Errorf("%d logins, status %+v", n, r.state())
		}
	})
}

// A connection that iscsid made has another source address than the agent's had: after the end of
// iscsid it is not changed until that address is removed.
func TestSourceOfIscsidLogin(t *testing.T) {
	for name, login := range map[string]func(r *rig){
		"an outage": func(r *rig) {
			r.breakConnection()
			time.Sleep(time.Second)
			r.set(func(f *fake) { f.up = true })
		},
		"a new connection": func(r *rig) { r.events <- loginResponse() },
		"unseen":           func(*rig) {},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(t *testing.T, r *rig) {
				r.at(oldAddr)
				time.Sleep(time.Second)
				r.listen(99)
				time.Sleep(40 * time.Second)
				r.move(func() { r.removed, r.found = []netip.Addr{oldAddr}, newAddr })
				login(r)
				time.Sleep(time.Minute)
				if s := r.state(); s.Source != newAddr {
					t.Errorf("status %+v", s)
				}
				r.listen()
				time.Sleep(time.Minute)
				if r.loginCount() > 0 || r.sawLog("is gone: logging in") {
					t.Error("logged in though the connection was whole")
				}
				r.set(func(f *fake) { f.found, f.dialVia.Source = netip.Addr{}, sixAddr })
				r.move(func() { r.removed = []netip.Addr{oldAddr, newAddr} })
				time.Sleep(50 * time.Millisecond)
				if r.loginCount() != 1 || !r.sawLog("its address 10.77.0.3 is gone", "logged in again after 0.0 s, from fd00::3") {
					t.Errorf("%d logins", r.loginCount())
				}
			})
		})
	}
}
