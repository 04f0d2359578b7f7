package session

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/iscsitest"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel/kerneltest"
)

func moved(code iscsi.Status, to ...netip.AddrPort) iscsitest.Script {
	var pairs []string
	for _, a := range to {
		pairs = append(pairs, "TargetAddress="+a.String())
	}
	return script(iscsitest.Status(code, pairs...))
}

// persistent is the address that iscsid would reconnect to, as last set.
func persistent(k *kerneltest.Kernel) string {
	out := ""
	for _, r := range k.Requests() {
		switch {
		case r.Type == kerneltest.SetParam && r.Param == 17:
			out = r.Value
		case r.Type == kerneltest.SetParam && r.Param == 18:
			out += ":" + r.Value
		}
	}
	return out
}

// After a temporary redirect the next login begins at the old portal, after a permanent one at the
// new portal.
func TestRedirect(t *testing.T) {
	for _, tt := range []struct {
		code     iscsi.Status
		first    int // connections to the first portal in two logins
		original bool
	}{{0x0101, 2, true}, {0x0102, 1, false}} {
		to := startTarget(t, welcome, welcome)
		var scripts []iscsitest.Script
		for range tt.first {
			scripts = append(scripts, moved(tt.code, to.portal))
		}
		from := startTarget(t, scripts...)
		s, k := sessionAt(t, nil, from.portal)
		for range 2 {
			if _, err := s.Login(t.Context()); err != nil {
				t.Fatal(err)
			}
			want := to.portal
			if tt.original {
				want = from.portal
			}
			if s.Portal != to.portal || s.Portals[0] != want || persistent(k) != want.String() {
				t.Errorf("%04x: at %s of %v, iscsid goes to %s", tt.code, s.Portal, s.Portals, persistent(k))
			}
			k.Close()
		}
		checkISIDs(t, from, tt.first)
		checkISIDs(t, to, 2)
	}
}

// A redirect with a portal group expects it; one with several addresses races them.
func TestRedirectDetails(t *testing.T) {
	to := startTarget(t, welcome)
	from := startTarget(t, script(iscsitest.Status(0x0101, "TargetAddress="+closed(t).String()+",9", "TargetAddress="+to.portal.String())))
	s, k := sessionAt(t, nil, from.portal)
	notes, err := s.Login(t.Context())
	if err != nil || s.Portal != to.portal || !strings.Contains(strings.Join(notes.Oddities, "\n"), "tag is 5, expected 9") {
		t.Errorf("at %s, %q, %v", s.Portal, notes, err)
	}
	k.Close()
}

func TestRedirectEnds(t *testing.T) {
	circle := startLoop(t)
	gone := startTarget(t, moved(0x0102, closed(t)))
	chain := closed(t)
	for range 5 {
		chain = startTarget(t, moved(0x0102, chain)).portal
	}
	for _, tt := range []struct {
		name, want string
		start      netip.AddrPort
	}{
		{"circle", ": redirected to " + circle.String() + ", a redirect loop, ", circle},
		{"five hops", ", more than 4 redirects in a row", chain},
		{"nobody there", ", redirected to ", gone.portal},
	} {
		s, k := sessionAt(t, nil, tt.start)
		_, err := s.Login(t.Context())
		var failed *LoginError
		if !errors.As(err, &failed) || !failed.Retryable() || !strings.Contains(err.Error(), strings.TrimSuffix(tt.want, ", ")) {
			t.Errorf("%s: got %v", tt.name, err)
		}
		if all := k.Requests(); all[len(all)-1].Type != kerneltest.StopConn {
			t.Errorf("%s: not stopped: %q", tt.name, steps(all))
		}
		if len(s.redirectedTo) != 0 {
			t.Errorf("%s: moved to %v", tt.name, s.redirectedTo)
		}
		k.Close()
	}
}

// startLoop starts a target that redirects to itself.
func startLoop(t *testing.T) netip.AddrPort {
	t.Helper()
	target := &iscsitest.Target{}
	server, err := iscsitest.Listen(target.Serve)
	if err != nil {
		t.Fatal(err)
	}
	target.Redirect = server.Addr().String()
	t.Cleanup(func() { _ = server.Close() })
	return server.Addr()
}
