package session

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi/iscsitest"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
)

func TestPaths(t *testing.T) {
	four, six := netip.MustParseAddrPort("10.0.0.1:3260"), netip.MustParseAddrPort("[fd00::1]:3260")
	other := netip.MustParseAddrPort("10.0.1.1:3260")
	a, b := Way{Source: netip.MustParseAddr("10.0.0.5")}, Way{Source: netip.MustParseAddr("fd00::5")}
	vrf := Way{Device: "vrf0"}
	var none Way
	for name, tt := range map[string]struct {
		ways    []Way
		portals []netip.AddrPort
		want    []path
	}{
		"no way":                 {nil, []netip.AddrPort{four, six}, []path{{none, four}, {none, six}}},
		"the kernel's first":     {[]Way{a, none}, []netip.AddrPort{four, other}, []path{{none, four}, {none, other}, {a, four}, {a, other}}},
		"not the kernel's":       {[]Way{vrf, a}, []netip.AddrPort{four}, []path{{vrf, four}, {a, four}}},
		"of the same family":     {[]Way{a, b}, []netip.AddrPort{six, four}, []path{{a, four}, {b, six}}},
		"twice":                  {[]Way{a, none, a, none}, []netip.AddrPort{four}, []path{{none, four}, {a, four}}},
		"none suits":             {[]Way{b}, []netip.AddrPort{four}, nil},
		"an IPv4 address in six": {[]Way{{Source: netip.MustParseAddr("::ffff:10.0.0.5")}}, []netip.AddrPort{four, six}, []path{{Way{Source: netip.MustParseAddr("::ffff:10.0.0.5")}, four}}},
		"no portal":              {[]Way{a, none}, nil, nil},
		"link-local, of a bridge": {
			[]Way{none, {Device: "br0"}},
			[]netip.AddrPort{netip.MustParseAddrPort("[fe80::1%eth0]:3260")},
			[]path{{none, netip.MustParseAddrPort("[fe80::1%eth0]:3260")}, {Way{Device: "br0"}, netip.MustParseAddrPort("[fe80::1%br0]:3260")}},
		},
	} {
		if got := paths(tt.ways, tt.portals); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
	many := make([]Way, 100)
	for i := range many {
		many[i].Source = netip.AddrFrom4([4]byte{10, 1, 0, byte(i)})
	}
	if n := len(paths(many, []netip.AddrPort{four, other})); n != maxPaths {
		t.Errorf("%d paths", n)
	}
}

func from(addr string) Way { return Way{Source: netip.MustParseAddr(addr)} }

// A session logs in by the first way that works, beginning with the kernel's choice, and reports it
// afterwards, also in another process.
func TestConnectWays(t *testing.T) {
	for name, tt := range map[string]struct {
		ways []Way
		want Way
	}{
		"none":                     {nil, from("127.0.0.1")},
		"an address":               {[]Way{from("127.0.0.2")}, from("127.0.0.2")},
		"the kernel's first":       {[]Way{from("127.0.0.2"), {}}, from("127.0.0.1")},
		"an address that is gone":  {[]Way{from("192.0.2.77"), from("127.0.0.3")}, from("127.0.0.3")},
		"a device":                 {[]Way{{Device: "lo"}}, Way{"lo", netip.MustParseAddr("127.0.0.1")}},
		"a device and an address":  {[]Way{{"lo", netip.MustParseAddr("127.0.0.2")}}, Way{"lo", netip.MustParseAddr("127.0.0.2")}},
		"a device that is gone":    {[]Way{{Device: "gone0"}, from("127.0.0.2")}, from("127.0.0.2")},
		"one of the other family":  {[]Way{from("::1"), from("127.0.0.2")}, from("127.0.0.2")},
		"the portal's way is long": {[]Way{from("127.0.0.2"), {Device: "gone0"}, from("127.0.0.3")}, from("127.0.0.2")},
	} {
		t.Run(name, func(t *testing.T) {
			tg := startTarget(t, welcome, welcome)
			s, k := newSession(t, tg.portal)
			if s.Via() != (Way{}) {
				t.Errorf("a session without a login goes by %v", s.Via())
			}
			if _, err := s.Login(t.Context()); err != nil || s.Via() != from("127.0.0.1") {
				t.Fatalf("the first login goes by %v, %v", s.Via(), err)
			}
			c, err := s.Connect(t.Context(), tt.ways...)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Relogin(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			states, err := ParseStates(written(t, s.State()))
			if err != nil || states[0].Way != tt.want || s.Via() != tt.want || Reopen(nil, states[0]).Via() != tt.want {
				t.Errorf("goes by %v, %v in the state (%v), want %v", s.Via(), states, err, tt.want)
			}
			k.Close()
		})
	}
}

// The address of a connection that another program made is read from the kernel.
func TestUpdateVia(t *testing.T) {
	ways := []Way{{}, {Device: "vrf0"}, {"vrf0", netip.MustParseAddr("10.0.0.5")}, from("fd00::5")}
	for text, want := range map[string]Way{
		"10.0.0.5\n": ways[2],
		"fd00:0000:0000:0000:0000:0000:0000:0005\n": ways[3],
		"10.0.0.6\n": from("10.0.0.6"),
		"fe80:0000:0000:0000:0000:0000:0000:0001\n": {"eth1", netip.MustParseAddr("fe80::1%eth0")}, // as it was
		"(null)\n":  {"eth1", netip.MustParseAddr("fe80::1%eth0")},
		"0.0.0.0\n": {"eth1", netip.MustParseAddr("fe80::1%eth0")},
		"":          {"eth1", netip.MustParseAddr("fe80::1%eth0")},
	} {
		s := &Session{Record: Record{HostNo: 7, Way: Way{"eth1", netip.MustParseAddr("fe80::1%eth0")}}}
		sys := t.TempDir()
		s.updateVia(kernel.Sysfs(sys), ways) // there is no such file
		dir := sys + "/class/iscsi_host/host7"
		if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(dir+"/ipaddress", []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
		if s.updateVia(kernel.Sysfs(sys), ways); s.Via() != want {
			t.Errorf("%q: by %v, want %v", text, s.Via(), want)
		}
	}
}

// The error is that of the first path, and names the way unless it is the kernel's choice.
func TestConnectWaysFail(t *testing.T) {
	dead, silent := closed(t), hole(t)
	s, _ := sessionAt(t, nil, silent)
	s.times.dial, s.times.stagger = 100*time.Millisecond, 10*time.Millisecond
	_, err := s.Connect(t.Context(), from("127.0.0.2"), from("192.0.2.77"), Way{})
	if err == nil || err.Error() != "connection timed out" {
		t.Errorf("got %v", err)
	}
	s, _ = sessionAt(t, nil, dead)
	for text, way := range map[string]Way{
		"connection refused from 127.0.0.2":                        from("127.0.0.2"),
		"connect: cannot assign requested address from 192.0.2.77": from("192.0.2.77"),
		"connect: no such device by gone0":                         {Device: "gone0"},
		"connection refused":                                       {},
	} {
		if _, err := s.Connect(t.Context(), way); err == nil || err.Error() != text {
			t.Errorf("got %v, want %s", err, text)
		}
	}
	tg := startTarget(t, welcome)
	s, _ = sessionAt(t, nil, tg.portal)
	if c, err := s.Connect(t.Context(), from("::1")); err == nil || c != nil || err.Error() != "no source address of the address family of a portal" {
		t.Errorf("connected although no way suits, %v", err)
	}
	s, _ = sessionAt(t, nil)
	if c, err := s.Connect(t.Context()); err == nil || c != nil {
		t.Error("a connection to no portal")
	}
}

// With many paths that do not answer, the last one is tried before the deadline.
func TestLastOfManyWays(t *testing.T) {
	tg := startTarget(t, welcome)
	silent := make([]netip.AddrPort, 8)
	for i := range silent {
		silent[i] = hole(t)
	}
	s, _ := sessionAt(t, nil, append(silent, tg.portal)...)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second) // less than 8 times s.times.stagger
	defer cancel()
	c, err := s.Connect(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if c.path.addr != tg.portal {
		t.Errorf("connected to %v", c.path.addr)
	}
	_ = c.Close()
}

// The other connections of a login, after a redirect and of a fallback, use the same way.
func TestWayOfALogin(t *testing.T) {
	to := startTarget(t, script(iscsitest.Status(0x0200)), script(agree, iscsitest.Silence()))
	first := startTarget(t, moved(0x0101, to.portal))
	s, k := sessionAt(t, nil, first.portal)
	c, err := s.Connect(t.Context(), from("127.0.0.4"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Relogin(t.Context(), c); err != nil || s.At() != to.portal || s.Via() != from("127.0.0.4") {
		t.Errorf("at %v by %v, %v", s.At(), s.Via(), err)
	}
	k.Close()
	for _, tg := range []*target{first, to} {
		tg.tasks.Wait()
		for _, addr := range tg.peers {
			if !strings.HasPrefix(addr, "127.0.0.4:") {
				t.Errorf("a connection from %s", addr)
			}
		}
	}
	if len(to.peers) != 2 {
		t.Errorf("%d connections", len(to.peers))
	}
}
