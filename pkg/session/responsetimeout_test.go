package session

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi/iscsitest"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
)

// The first response of a portal is waited for 5 s, 3 s where another portal is left, and twice as
// long after each login that got none, up to 15 s.
func TestResponseTimeout(t *testing.T) {
	only := loginPath{path: path{addr: netip.MustParseAddrPort("10.0.0.1:3260")}}
	first := loginPath{path: path{addr: netip.MustParseAddrPort("10.0.0.2:3260")}, others: true}
	for _, tt := range []struct {
		name    string
		at      loginPath
		again   bool
		silence []float64 // the wait, and that after each login without an answer
	}{
		{"the only portal", only, false, []float64{5, 10, 15, 15}},
		{"one of several", first, false, []float64{3, 6, 12, 15, 15}},
		{"the only portal, again", only, true, []float64{2, 4, 8, 15}},
		{"one of several, again", first, true, []float64{2, 4, 8, 15}},
	} {
		s := &Session{times: defaultTimes, relogin: tt.again}
		for _, want := range tt.silence {
			if got := s.responseTimeout(tt.at).Seconds(); got != want {
				t.Errorf("%s: waits for %v s, want %v", tt.name, got, want)
			}
			s.recordResponse(tt.at, 0, &SilenceError{})
		}
		other := loginPath{path: path{addr: netip.MustParseAddrPort("10.0.0.3:3260")}, others: tt.at.others}
		if got := s.responseTimeout(other).Seconds(); got != tt.silence[0] {
			t.Errorf("%s: another one is waited for %v s, want %v", tt.name, got, tt.silence[0])
		}
		if s.recordResponse(tt.at, 0, kernel.TargetClosed); s.responseTimeout(tt.at).Seconds() != tt.silence[0] {
			t.Errorf("%s: after an answer it waits for %v, want %v s", tt.name, s.responseTimeout(tt.at), tt.silence[0])
		}
	}
	for slowest, want := range map[time.Duration][2]float64{time.Second: {5, 3}, 5 * time.Second: {5, 6}, 8 * time.Second: {10, 12}, 14 * time.Second: {15, 15}, 20 * time.Second: {15, 15}} {
		s := &Session{times: defaultTimes}
		for i, at := range []loginPath{only, first} {
			if s.recordResponse(at, slowest, nil); s.responseTimeout(at).Seconds() != want[i] {
				t.Errorf("after a response that took %v it waits for %v, want %v s", slowest, s.responseTimeout(at), want[i])
			}
		}
	}
}

// The number of doublings is bounded, also where the time-out never reaches the time of a response.
func TestDoublingsAreBounded(t *testing.T) {
	at := loginPath{path: path{addr: netip.MustParseAddrPort("10.0.0.1:3260")}, others: true}
	for _, times := range []times{
		{response: time.Second, first: time.Second},                                                  // of many: 0
		{response: time.Second, first: time.Microsecond, firstOfMany: time.Microsecond},              // too short
		{response: time.Hour, first: time.Nanosecond, firstOfMany: time.Hour, firstRelogin: 1 << 62}, // far too short
	} {
		s := &Session{times: times}
		if s.recordResponse(at, 2*time.Second, nil); s.unanswered[at.addr] != maxDoublings {
			t.Errorf("%+v: doubled %d times, want %d", times, s.unanswered[at.addr], maxDoublings)
		}
	}
}

// silentTargets starts targets that accept connections and do not respond, each for some
// connections.
func silentTargets(t *testing.T, connections ...int) []*target {
	t.Helper()
	var out []*target
	for _, n := range connections {
		var scripts []iscsitest.Script
		for range n {
			scripts = append(scripts, script(iscsitest.Silence()))
		}
		out = append(out, startTarget(t, scripts...))
	}
	return out
}

// A portal that accepts the connection and does not respond has a shorter time-out while another
// one remains; the last one has the full one.
func TestSilentPortal(t *testing.T) {
	silent := silentTargets(t, 1)[0]
	well := startTarget(t, welcome)
	s, k := sessionAt(t, nil, silent.portal, well.portal)
	s.times.first, s.times.response, s.times.firstOfMany = time.Hour, time.Hour, time.Millisecond
	if _, err := s.Login(t.Context()); err != nil || s.Portal != well.portal {
		t.Errorf("at %s, %v", s.Portal, err)
	}
	checkTries(t, k.Requests(), 2)
	k.Close()
	checkISIDs(t, well, 1)
}

func TestAllPortalsSilent(t *testing.T) {
	all := silentTargets(t, 2, 2, 2)
	s, _ := sessionAt(t, nil, all[0].portal, all[1].portal, all[2].portal)
	s.times.first, s.times.response, s.times.firstOfMany = 30*time.Millisecond, time.Second, 20*time.Millisecond
	for _, want := range [][]string{{"20ms", "20ms", "30ms"}, {"40ms", "40ms", "60ms"}} {
		_, err := s.Login(t.Context())
		var failed *LoginError
		if !errors.As(err, &failed) || len(failed.Portals) != len(want) {
			t.Fatalf("got %v", err)
		}
		for i, try := range failed.Portals {
			if !strings.Contains(try.Err.Error(), "target does not answer for "+want[i]) {
				t.Errorf("portal %d: %v, want %s", i, try.Err, want[i])
			}
		}
	}
}

// A re-login continues with another known portal.
func TestSilentPortalAgain(t *testing.T) {
	silent := silentTargets(t, 1)[0]
	well := startTarget(t, welcome)
	s, k := sessionAt(t, nil, silent.portal, well.portal)
	s.times.firstRelogin, s.times.response, s.times.firstOfMany = time.Hour, time.Hour, time.Millisecond
	for _, want := range []string{"target does not answer for 1ms", ""} {
		conn, err := s.Connect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		err = s.Relogin(t.Context(), conn)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if s.Portal != well.portal {
		t.Errorf("at %s", s.Portal)
	}
	k.Close()
}

// The last portal of a round has the full time-out: all others were tried, or the same one comes
// again because no other one accepts connections.
func TestRounds(t *testing.T) {
	p := func(n byte) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, n}), 3260)
	}
	for name, tt := range map[string]struct {
		known []netip.AddrPort
		tried string
		want  string // +: another one remains
	}{
		"one":          {[]netip.AddrPort{p(1)}, "111", "---"},
		"two":          {[]netip.AddrPort{p(1), p(2)}, "1212", "+-+-"},
		"three":        {[]netip.AddrPort{p(1), p(2), p(3)}, "123123", "++-++-"},
		"one answers":  {[]netip.AddrPort{p(1), p(2), p(3)}, "1111", "+-+-"},
		"one is moved": {[]netip.AddrPort{p(1), p(2)}, "312", "++-"},
	} {
		s := &Session{Record: Record{Portals: tt.known}}
		got := ""
		for _, n := range tt.tried {
			if s.othersRemain(path{addr: p(byte(n - '0'))}) {
				got += "+"
			} else {
				got += "-"
			}
		}
		if got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

// A link-local portal whose zone differs by way is one portal.
func TestRoundOfLinkLocal(t *testing.T) {
	a, b := netip.MustParseAddrPort("[fe80::1%ens2]:3260"), netip.MustParseAddrPort("[fe80::2%ens2]:3260")
	s := &Session{Record: Record{Portals: []netip.AddrPort{a, b}}}
	by := func(addr netip.AddrPort) path {
		w := Way{Device: "br0"}
		return path{w, w.zoned(addr)}
	}
	if !s.othersRemain(by(a)) || s.othersRemain(by(b)) {
		t.Error("one portal was counted as two")
	}
	if s.moveToEnd(by(a)); !slices.Equal(s.Portals, []netip.AddrPort{b, a}) {
		t.Errorf("portals %v", s.Portals)
	}
}

// The re-login of a session that was not scanned has the longer time-out at the last portal.
func TestSilentPortalOfUnscannedSession(t *testing.T) {
	all := silentTargets(t, 1, 1)
	s, _ := sessionAt(t, nil, all[0].portal, all[1].portal)
	s.MarkUnscanned(0)
	s.times.first, s.times.response, s.times.firstOfMany = 30*time.Millisecond, time.Second, 20*time.Millisecond
	for i, want := range []string{"20ms", "30ms"} {
		conn, err := s.Connect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Relogin(t.Context(), conn); err == nil || !strings.Contains(err.Error(), all[i].portal.String()+": receive response 1 (security stage): target does not answer for "+want) {
			t.Errorf("portal %d: %v, want %s", i, err, want)
		}
	}
}
