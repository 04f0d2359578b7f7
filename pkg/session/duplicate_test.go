package session

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/iscsitest"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/portal"
)

// long is a wait that is longer than any test.
const long = time.Hour

// ownISID is the ISID of sessionAt's sessions.
var ownISID = [6]byte{0, 2, 0x3d, 1, 2, 3}

// opened is a session at a target.
type opened struct {
	isid [6]byte
	conn *muted
}

// watched serves a target; each is called with all sessions that were opened so far, the last one
// being new, by one goroutine at a time.
func watched(t *testing.T, target *iscsitest.Target, each func(all []opened)) netip.AddrPort {
	t.Helper()
	var mu sync.Mutex
	var all []opened
	target.Opened = func(isid [6]byte, conn net.Conn) {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, opened{isid, conn.(*muted)})
		each(all)
	}
	server, err := iscsitest.Listen(func(conn net.Conn) error { _ = target.Serve(&muted{Conn: conn}); return nil })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	return server.Addr()
}

// muted is a connection that can drop what it receives.
type muted struct {
	net.Conn
	mute atomic.Bool
}

func (m *muted) Read(b []byte) (int, error) {
	for {
		n, err := m.Conn.Read(b)
		if err != nil || !m.mute.Load() {
			return n, err
		}
	}
}

// waitSessions waits until the target has no more than n sessions.
func waitSessions(t *testing.T, target *iscsitest.Target, n int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); target.Sessions() > n; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d sessions are left, want %d", target.Sessions(), n)
		}
	}
}

// otherMachine has the same initiator name and ISID; it logs in again whenever its session ends,
// until the end of the test.
func otherMachine(t *testing.T, portal netip.AddrPort, chap *iscsi.CHAP, digests iscsi.DigestPolicy) {
	t.Helper()
	offer := iscsi.DefaultOffer()
	offer.HeaderDigest, offer.DataDigest = digests, digests
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	in := make(chan bool)
	running.Go(func() {
		for first := true; ctx.Err() == nil; first = false {
			conn, err := net.Dial("tcp", portal.String())
			if err != nil {
				return
			}
			pipe := iscsi.NewTCPPipe(conn)
			_, err = iscsi.Login(ctx, pipe, iscsi.LoginConfig{InitiatorName: initiator, TargetName: targetName, ISID: ownISID, CmdSN: 1, SecurityStage: true, CHAP: chap, Offer: offer})
			if first {
				close(in)
			}
			if err == nil {
				_, _ = pipe.Receive(ctx)
			}
			_ = conn.Close()
		}
	})
	t.Cleanup(func() { cancel(); running.Wait() })
	<-in
}

// Another machine with the same name and ISID is detected, with and without CHAP, by all ways.
func TestDuplicate(t *testing.T) {
	chap := &iscsi.CHAP{User: "machine", Secret: iscsi.NewSecret([]byte(ourSecret)), Algorithms: []iscsi.Algorithm{iscsi.MD5}}
	for name, tt := range map[string]struct {
		target *iscsitest.Target
		edit   func(*Config)
		chap   *iscsi.CHAP
		twin   iscsi.DigestPolicy
	}{
		"plain":     {target: &iscsitest.Target{}},
		"digests":   {edit: digest(iscsi.RequireDigest, iscsi.RequireDigest), target: &iscsitest.Target{Digest: "CRC32C"}},
		"requires":  {target: &iscsitest.Target{RequireCRC32C: []string{"HeaderDigest", "DataDigest"}}, twin: iscsi.RequireDigest},
		"on one":    {target: &iscsitest.Target{RequireCRC32C: []string{"HeaderDigest"}}, twin: iscsi.AcceptDigest},
		"no lists":  {target: &iscsitest.Target{NoDigestLists: 0x0200}},
		"CHAP":      {&iscsitest.Target{Auth: &iscsitest.Auth{User: "machine", Secret: ourSecret}}, prove(ourSecret, "", ""), chap, iscsi.NoDigest},
		"CHAP, MD5": {&iscsitest.Target{Auth: &iscsitest.Auth{User: "machine", Secret: ourSecret, NoLists: 0x0200}}, prove(ourSecret, "", ""), chap, iscsi.NoDigest},
	} {
		t.Run(name, func(t *testing.T) {
			target := tt.target
			portal := watched(t, target, func(all []opened) {
				last := all[len(all)-1]
				host, _, _ := net.SplitHostPort(last.conn.RemoteAddr().String())
				if last.isid[0]>>6 != 2 && last.isid != ownISID || last.isid != ownISID && host != "127.0.0.2" {
					t.Errorf("a session with ISID %x from %s", last.isid, host)
				}
			})
			s, k := sessionAt(t, tt.edit, closed(t), portal)
			otherMachine(t, portal, tt.chap, tt.twin)
			found, err := s.Duplicate(t.Context(), []Way{from("192.0.2.77"), from("127.0.0.2")}, long)
			if !found || err != nil {
				t.Errorf("%v, %v", found, err)
			}
			waitSessions(t, target, 1) // the other machine's
			if n := len(k.Requests()); n != 2 {
				t.Errorf("%d requests to the kernel, want only that for its session", n)
			}
		})
	}
}

// Other causes are not mistaken for another machine, and no session is left at the target.
func TestNoDuplicate(t *testing.T) {
	subject := func(o opened) bool { return o.isid == ownISID }
	other := func(o opened) bool { return o.isid != ownISID }
	for name, tt := range map[string]struct {
		each func(all []opened)
		wait time.Duration
		want string // in the error; "": none
	}{
		"nothing happens": {func([]opened) {}, 50 * time.Millisecond, ""},
		"all are closed":  {third(func(all []opened) { closeSome(all, subject, other) }), long, "session with ISID 80"},
		"the others":      {third(func(all []opened) { closeSome(all, other) }), long, "session with ISID 80"},
		"one other": {third(func(all []opened) {
			closeSome(all[slices.IndexFunc(all, other):][:1], other)
		}), long, "session with ISID 80"},
		"ownISID, and dead others": {third(func(all []opened) {
			for _, o := range all {
				o.conn.mute.Store(other(o))
			}
			closeSome(all, subject)
		}), long, "deadline exceeded"},
		"an other, at once": {func(all []opened) { closeSome(all, other) }, long, "session with ISID 80"},
		"ownISID, once":     {third(func(all []opened) { closeSome(all, subject) }), 50 * time.Millisecond, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // they wait
			target := &iscsitest.Target{}
			s, _ := sessionAt(t, nil, watched(t, target, tt.each))
			s.times.probe = 500 * time.Millisecond
			found, err := s.Duplicate(t.Context(), nil, tt.wait)
			if found || (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, %v, want %q", found, err, tt.want)
			}
			waitSessions(t, target, 0)
		})
	}
}

// third calls f with the sessions of the first trial when all three exist. Their order may differ
// from that of their logins.
func third(f func(all []opened)) func([]opened) {
	return func(all []opened) {
		if len(all) == 3 {
			f(all)
		}
	}
}

// closeSome ends the sessions of some kinds.
func closeSome(all []opened, kinds ...func(opened) bool) {
	for _, o := range all {
		if slices.ContainsFunc(kinds, func(is func(opened) bool) bool { return is(o) }) {
			_ = o.conn.Close()
		}
	}
}

// Without a login there is no result; the context ends the wait.
func TestDuplicateFails(t *testing.T) {
	target := &iscsitest.Target{Initiators: []string{"iqn.2007-01.com.example:other"}}
	s, _ := sessionAt(t, nil, watched(t, target, func([]opened) {}))
	var status *iscsi.StatusError
	if found, err := s.Duplicate(t.Context(), nil, long); found || !errors.As(err, &status) || status.Code() != 0x0202 {
		t.Errorf("%v, %v", found, err)
	}
	var connect *portal.ConnectError
	s, _ = sessionAt(t, nil, closed(t))
	if found, err := s.Duplicate(t.Context(), nil, long); found || !errors.As(err, &connect) || !strings.HasPrefix(err.Error(), "look for a duplicate of "+initiator+": connect to 127.0.0.1:") {
		t.Errorf("%v, %v", found, err)
	}
	silent := startTarget(t, script(iscsitest.Silence()))
	s, _ = sessionAt(t, nil, silent.portal)
	s.times.probe = 50 * time.Millisecond
	if found, err := s.Duplicate(t.Context(), nil, long); found || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, %v", found, err)
	}
	target = &iscsitest.Target{}
	ctx, cancel := context.WithCancel(t.Context())
	s, _ = sessionAt(t, nil, watched(t, target, func(all []opened) {
		if len(all) == 3 {
			cancel()
		}
	}))
	if found, err := s.Duplicate(ctx, nil, long); found || !errors.Is(err, context.Canceled) {
		t.Errorf("%v, %v", found, err)
	}
	waitSessions(t, target, 0)
}
