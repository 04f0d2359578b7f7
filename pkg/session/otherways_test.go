package session

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi/iscsitest"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel/kerneltest"
)

// A portal that refuses the connection or the login by the kernel's choice is tried by the other
// ways; Unbind removes the interface once there is a route.
func TestLoginByAnotherWay(t *testing.T) {
	tg := startTarget(t, script(iscsitest.Status(0x0203)), welcome)
	s, k := sessionAt(t, func(c *Config) { c.Ways = byLo }, tg.portal)
	if _, err := s.Login(t.Context()); err != nil {
		t.Fatal(err)
	}
	if via := s.Via(); via.Device != "lo" || !via.Source.IsLoopback() {
		t.Errorf("logged in by %+v", via)
	}
	s.Unbind()
	if via := s.Via(); via.Device != "" || !via.Source.IsLoopback() {
		t.Errorf("unbound, it is %+v", via)
	}
	checkTries(t, k.Requests(), 2)
}

// The kernel's choice to all portals comes first.
func TestPathsTo(t *testing.T) {
	a, b := netip.MustParseAddrPort("10.0.0.1:3260"), netip.MustParseAddrPort("[fe80::1%ens2]:3260")
	s := &Session{}
	if got, _ := s.pathsTo([]netip.AddrPort{a, b}); !slices.Equal(got, plain([]netip.AddrPort{a, b})) {
		t.Errorf("paths %v", got)
	}
	w := Way{Device: "ens3"}
	s.config.Ways = func(netip.Addr) []Way { return []Way{w} }
	want := append(plain([]netip.AddrPort{a, b}), path{w, a}, path{w, netip.MustParseAddrPort("[fe80::1%ens3]:3260")})
	if got, _ := s.pathsTo([]netip.AddrPort{a, b}); !slices.Equal(got, want) {
		t.Errorf("paths %v, want %v", got, want)
	}
	many := make([]netip.AddrPort, maxPaths)
	if got, _ := s.pathsTo(many); len(got) != maxPaths {
		t.Errorf("%d paths", len(got))
	}
}

// A portal that is tried by two ways is one portal: no other one remains.
func TestSilentByAllWays(t *testing.T) {
	tg := silentTargets(t, 2)[0]
	s, _ := sessionAt(t, func(c *Config) { c.Ways = byLo }, tg.portal)
	s.times.first, s.times.response, s.times.firstOfMany = 30*time.Millisecond, time.Second, 20*time.Millisecond
	_, err := s.Login(t.Context())
	var failed *LoginError
	if !errors.As(err, &failed) || len(failed.Portals) != 2 || !strings.Contains(failed.Portals[0].Err.Error(), "target does not answer for 30ms") {
		t.Errorf("got %v", err)
	}
}

func byLo(netip.Addr) []Way { return []Way{{Device: "lo"}} }

// After a failed authentication, which does not depend on the NIC and which a target may count, the
// next portal is tried, not another NIC. After a refusal of the name another NIC is, because an
// access list may have source addresses; the error contains it once.
func TestRefusedByAllWays(t *testing.T) {
	lying := script(iscsitest.Text("AuthMethod=CHAP"), iscsitest.Text("CHAP_A=5", "CHAP_I=1", "CHAP_C=0x0102030405060708090a0b0c0d0e0f10"), iscsitest.Text("CHAP_N=storage", "CHAP_R=0x000102030405060708090a0b0c0d0e0f"))
	for name, tt := range map[string]struct {
		refuses iscsitest.Script
		edit    func(*Config)
		times   int
	}{
		"wrong secret":          {script(iscsitest.Status(0x0201)), func(*Config) {}, 1},
		"target's wrong secret": {lying, prove(ourSecret, "target's own secret", ""), 1},
		"access list":           {script(iscsitest.Status(0x0202)), func(*Config) {}, 2},
		"not found":             {script(iscsitest.Status(0x0203)), func(*Config) {}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			first := startTarget(t, slices.Repeat([]iscsitest.Script{tt.refuses}, tt.times)...)
			second := startTarget(t, slices.Repeat([]iscsitest.Script{tt.refuses}, tt.times)...)
			s, k := sessionAt(t, func(c *Config) { tt.edit(c); c.Ways = byLo }, first.portal, second.portal)
			_, err := s.Login(t.Context())
			var failed *LoginError
			if !errors.As(err, &failed) || len(failed.Portals) != 2*tt.times {
				t.Fatalf("got %v", err)
			}
			for _, tg := range []*target{first, second} {
				if n := strings.Count(err.Error(), " at "+tg.portal.String()); n != 1 {
					t.Errorf("%d times %s in the error: %v", n, tg.portal, err)
				}
			}
			binds := slices.DeleteFunc(k.Requests(), func(r kerneltest.Request) bool { return r.Type != kerneltest.BindConn })
			if len(binds) != 2*tt.times {
				t.Errorf("%d logins, want %d", len(binds), 2*tt.times)
			}
		})
	}
}
