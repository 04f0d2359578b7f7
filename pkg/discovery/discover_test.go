package discovery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/iscsitest"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/portal"
)

const (
	initiator = "iqn.2007-01.com.example:server.remote1"
	target    = "iqn.2007-01.com.example:storage.remote1"
)

// listen serves a target on the loopback interface and returns its portal.
func listen(t *testing.T, serve func(net.Conn) error) bootspec.Portal {
	t.Helper()
	s, err := iscsitest.Listen(serve)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return portalOf(s.Addr())
}

func portalOf(a netip.AddrPort) bootspec.Portal {
	return bootspec.Portal{Host: a.Addr().String(), Port: a.Port()}
}

// script serves each connection by the next of the scripts.
func script(t *testing.T, scripts ...iscsitest.Script) bootspec.Portal {
	t.Helper()
	next := make(chan iscsitest.Script, len(scripts))
	for _, s := range scripts {
		next <- s
	}
	return listen(t, func(conn net.Conn) error {
		select {
		case s := <-next:
			_, err := s.Serve(conn)
			return err
		default:
			return errors.Join(errors.New("one connection too many"), conn.Close())
		}
	})
}

func config() Config { return Config{Initiator: initiator, Timeout: time.Minute} }

func address(t *testing.T, s string) iscsi.TargetAddress {
	t.Helper()
	a, err := iscsi.ParseTargetAddress(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func chap(user, secret, targetUser, targetSecret string) *iscsi.CHAP {
	return &iscsi.CHAP{
		User: user, Secret: iscsi.NewSecret([]byte(secret)),
		TargetUser: targetUser, TargetSecret: iscsi.NewSecret([]byte(targetSecret)),
	}
}

// A target returns its portals, also with CHAP in both directions.
func TestDiscover(t *testing.T) {
	for name, c := range map[string]struct {
		auth *iscsitest.Auth
		chap *iscsi.CHAP
	}{
		"plain":   {},
		"one-way": {&iscsitest.Auth{User: "u", Secret: "sesame-open-12"}, chap("u", "sesame-open-12", "", "")},
		"mutual": {
			&iscsitest.Auth{User: "u", Secret: "sesame-open-12", TargetUser: "t", TargetSecret: "sesame-shut-12"},
			chap("u", "sesame-open-12", "t", "sesame-shut-12"),
		},
		"MD5 alone": {&iscsitest.Auth{User: "u", Secret: "sesame-open-12", NoLists: 0x0200}, chap("u", "sesame-open-12", "", "")},
	} {
		tg := &iscsitest.Target{Name: target, Portals: []string{"192.0.2.7:3260,1", "[2001:db8::7]:3261,2"}, Auth: c.auth}
		at := listen(t, tg.Serve)
		cfg := config()
		cfg.CHAP = c.chap
		got, err := Discover(t.Context(), at, cfg)
		want := Result{
			Path:    []bootspec.Portal{at},
			Targets: []iscsi.DiscoveredTarget{{Name: target, Addresses: []iscsi.TargetAddress{address(t, "192.0.2.7,1"), address(t, "[2001:db8::7]:3261,2")}}},
		}
		if err != nil || !cmp.Equal(got, want) {
			t.Errorf("%s: %v\n%s", name, err, cmp.Diff(want, got))
		}
	}
}

// A target without an address is at the portal that sent it; a discovery can be limited to one
// target.
func TestDiscoverForOne(t *testing.T) {
	tg := &iscsitest.Target{Name: target}
	at := listen(t, tg.Serve)
	for name, want := range map[string]int{"": 1, target: 1, target + "x": 0} {
		cfg := config()
		cfg.Target = name
		got, err := Discover(t.Context(), at, cfg)
		if err != nil || len(got.Targets) != want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if want == 1 && got.Targets[0].Addresses[0] != (iscsi.TargetAddress{Host: at.Host, Port: at.Port}) {
			t.Errorf("%s: at %v, want %v", name, got.Targets[0].Addresses, at)
		}
	}
}

// After a refusal that a missing security stage may have caused, the login is retried with one; if
// that fails too, the error is the more specific one.
func TestDiscoverInSecurityStage(t *testing.T) {
	login := func(stage iscsi.Stage, s iscsitest.Step) iscsitest.Step {
		return func(conn net.Conn, p *iscsi.PDU) error {
			if req, err := iscsi.ParseLoginRequest(p); err != nil || req.CSG != stage {
				t.Errorf("%+v, %v, want stage %v", req, err, stage)
			}
			return s(conn, p)
		}
	}
	for name, refusal := range map[string]iscsitest.Step{"0200": iscsitest.Status(0x0200), "020b": iscsitest.Status(0x020b), "closes": iscsitest.Close()} {
		first := iscsitest.Script{login(iscsi.StageOperational, refusal)}
		at := script(t, first, iscsitest.Script{login(iscsi.StageSecurity, iscsitest.Text()), login(iscsi.StageOperational, iscsitest.Text()), answers("")})
		if _, err := Discover(t.Context(), at, config()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	at := script(t, iscsitest.Script{iscsitest.Status(0x0200)}, iscsitest.Script{iscsitest.Close()})
	if _, err := Discover(t.Context(), at, config()); err == nil || !strings.Contains(err.Error(), "0200") {
		t.Errorf("%v: want the refusal, not the end of the connection", err)
	}
}

// answers is a step that responds to SendTargets.
func answers(text string) iscsitest.Step {
	return func(conn net.Conn, p *iscsi.PDU) error {
		req, err := iscsi.ParseTextRequest(p)
		if err != nil {
			return err
		}
		out, err := (&iscsi.TextResponse{Final: true, ITT: req.ITT, TTT: 0xffffffff, StatSN: req.ExpStatSN, Data: []byte(text)}).PDU()
		if err != nil {
			return err
		}
		return iscsitest.Write(conn, out)
	}
}

// Names with control characters are left out, as are invalid addresses.
func TestDiscoverHostile(t *testing.T) {
	text := string(iscsitest.Join("TargetName=iqn.\u009b2J", "TargetName=iqn.\xff", "TargetName="+target, "TargetAddress=\x1b[2J", "TargetAddress=192.0.2.7"))
	at := script(t, iscsitest.Script{iscsitest.Text(), answers(text)})
	got, err := Discover(t.Context(), at, config())
	want := Result{
		Path:    []bootspec.Portal{at},
		Targets: []iscsi.DiscoveredTarget{{Name: target, Addresses: []iscsi.TargetAddress{address(t, "192.0.2.7")}}},
		Warnings: []string{
			`target "iqn.\u009b2J" is left out: its name has characters that are not allowed`,
			`target "iqn.\xff" is left out: its name has characters that are not allowed`,
			`target ` + target + `: target address "\x1b[2J": bad host name`,
		},
	}
	if err != nil || !cmp.Equal(got, want) {
		t.Errorf("%v\n%s", err, cmp.Diff(want, got))
	}
}

// Redirects are followed, up to a limit and not in a loop.
func TestDiscoverRedirected(t *testing.T) {
	to := func(p bootspec.Portal) iscsitest.Script {
		return iscsitest.Script{iscsitest.Status(0x0101, "TargetAddress="+p.String())}
	}
	tg := &iscsitest.Target{Name: target}
	last := listen(t, tg.Serve)
	first := script(t, to(last))
	got, err := Discover(t.Context(), first, config())
	if err != nil || !cmp.Equal(got.Path, []bootspec.Portal{first, last}) || len(got.Targets) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	for range maxRedirects {
		last = script(t, to(last), to(last))
	}
	if got, err = Discover(t.Context(), last, config()); err != nil || len(got.Path) != maxRedirects+1 {
		t.Errorf("%+v, %v", got, err)
	}
	last = script(t, to(last))
	var redirect *portal.RedirectError
	if _, err = Discover(t.Context(), last, config()); !errors.As(err, &redirect) || !strings.Contains(err.Error(), "more than 4 redirects in a row") {
		t.Error(err)
	}
	itself := make(chan bootspec.Portal, 1)
	self := listen(t, func(conn net.Conn) error {
		at := <-itself
		itself <- at
		_, err := to(at).Serve(conn)
		return err
	})
	itself <- self
	if _, err = Discover(t.Context(), self, config()); !errors.As(err, &redirect) || !strings.Contains(err.Error(), "a redirect loop") {
		t.Error(err)
	}
}

// Errors have the texts of those at boot; hints name the options.
func TestErrors(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := portalOf(l.Addr().(*net.TCPAddr).AddrPort())
	_ = l.Close()
	auth := &iscsitest.Auth{User: "u", Secret: "sesame-open-12", TargetUser: "t", TargetSecret: "sesame-shut-12"}
	guarded := listen(t, (&iscsitest.Target{Name: target, Auth: auth}).Serve)
	for _, c := range []struct {
		at         bootspec.Portal
		chap       *iscsi.CHAP
		text, hint string
	}{
		{listen(t, (&iscsitest.Target{Initiators: []string{"iqn.x"}}).Serve), nil, "login to %s refused (0202): this initiator name is not in the target's access list", "--initiator"},
		{guarded, nil, "login to %s refused (0201): authentication failed", "--credentials"},
		{guarded, chap("u", "sesame-open-13", "", ""), "login to %s refused (0201): authentication failed", "--credentials"},
		{guarded, chap("u", "sesame-open-12", "t", "sesame-shut-13"), "%s: authentication: target's CHAP response is wrong", "the target's secret in --credentials"},
		{guarded, chap("u", "sesame-open-12", "x", "sesame-shut-12"), "%s: authentication: target has another CHAP name", "the target's user"},
		{script(t, iscsitest.Script{iscsitest.Text("AuthMethod=None")}), chap("u", "sesame-open-12", "", ""), "%s: authentication: target ", "leave out --credentials"},
		{script(t, iscsitest.Script{iscsitest.Status(0x0209)}), nil, "login to %s refused (0209): ", "does not allow discovery"},
		{script(t, iscsitest.Script{iscsitest.Status(0x0301)}), nil, "login to %s not served (0301): ", "starting"},
		{closed, nil, "%s: connection refused", "nothing listens on this port"},
		{script(t, iscsitest.Script{iscsitest.Close()}, iscsitest.Script{iscsitest.Close()}), nil, "%s: ", ""},
	} {
		cfg := config()
		cfg.CHAP = c.chap
		got, err := Discover(t.Context(), c.at, cfg)
		var e *Error
		if !errors.As(err, &e) || !strings.HasPrefix(err.Error(), fmt.Sprintf(c.text, c.at)) || strings.Contains(err.Error(), "sesame") || len(got.Targets) != 0 {
			t.Errorf("got %v, want %s", err, fmt.Sprintf(c.text, c.at))
			continue
		}
		if hint := e.Hint(); !strings.Contains(hint, c.hint) || (hint == "") != (c.hint == "") {
			t.Errorf("%v: hint %q, want %q", err, hint, c.hint)
		}
	}
}

// A host name that does not exist.
func TestNoSuchHost(t *testing.T) {
	cfg := config()
	cfg.Dial = func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: &net.DNSError{IsNotFound: true}}
	}
	_, err := Discover(t.Context(), bootspec.Portal{Host: "no.example", Port: 3260}, cfg)
	if fmt.Sprint(err) != "no.example:3260: no such host name" {
		t.Error(err)
	}
}

// A target that sends bytes without completing its response is ended by the time-out.
func TestDiscoverWithoutEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := config()
		endless := iscsitest.Script{iscsitest.Text(), func(conn net.Conn, _ *iscsi.PDU) error {
			b := make([]byte, 1)
			for {
				time.Sleep(30 * time.Second)
				if _, err := conn.Write(b); err != nil {
					return err
				}
			}
		}}
		target := make(chan error, 1)
		cfg.Dial = func(context.Context, string, string) (net.Conn, error) {
			near, far := net.Pipe()
			go func() {
				_, err := endless.Serve(far)
				target <- err
			}()
			return near, nil
		}
		_, err := Discover(t.Context(), bootspec.Portal{Host: "192.0.2.1", Port: 3260}, cfg)
		if fmt.Sprint(err) != "192.0.2.1:3260: no complete answer within 1m0s" || !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if err := <-target; !errors.Is(err, io.ErrClosedPipe) { // ends when the connection is closed
			t.Error(err)
		}
	})
}
