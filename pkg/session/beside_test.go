package session

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi/iscsitest"
)

// A portal that refuses, or turns the login down, by the kernel's choice is asked by the other ways, and they are no longer
// needed when their route is there.
func TestLoginByAnotherWay(t *testing.T) {
	tg := startTarget(t, script(iscsitest.Status(0x0203)), welcome)
	lo := func(netip.Addr) []Way { return []Way{{Device: "lo"}} }
	s, k := sessionAt(t, func(c *Config) { c.Ways = lo }, tg.portal)
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
	if got := s.pathsTo([]netip.AddrPort{a, b}); !slices.Equal(got, plain([]netip.AddrPort{a, b})) {
		t.Errorf("paths %v", got)
	}
	w := Way{Device: "ens3"}
	s.config.Ways = func(netip.Addr) []Way { return []Way{w} }
	want := append(plain([]netip.AddrPort{a, b}), path{w, a}, path{w, netip.MustParseAddrPort("[fe80::1%ens3]:3260")})
	if got := s.pathsTo([]netip.AddrPort{a, b}); !slices.Equal(got, want) {
		t.Errorf("paths %v, want %v", got, want)
	}
	many := make([]netip.AddrPort, maxPaths)
	if got := s.pathsTo(many); len(got) != maxPaths {
		t.Errorf("%d paths", len(got))
	}
}
