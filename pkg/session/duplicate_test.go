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

// long is a wait that no test lasts for: what returns then was decided.
const long = time.Hour

// ours is the ISID of sessionAt's sessions.
var ours = [6]byte{0, 2, 0x3d, 1, 2, 3}

// opened is a session at a target, and those before it.
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

// muted may be made not to hear what comes.
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

// left waits until the target has no more than n sessions.
func left(t *testing.T, target *iscsitest.Target, n int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); target.Sessions() > n; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d sessions are left, want %d", target.Sessions(), n)
		}
	}
}

// twin is another machine of the same name and ISID, which logs in whenever it is thrown out, for
// as long as the test lasts.
func twin(t *testing.T, portal netip.AddrPort, chap *iscsi.CHAP, digests iscsi.DigestPolicy) {
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
			_, err = iscsi.Login(ctx, pipe, iscsi.LoginConfig{InitiatorName: initiator, TargetName: targetName, ISID: ours, CmdSN: 1, SecurityStage: true, CHAP: chap, Offer: offer})
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

// Another machine with our name and ISID is found out, with CHAP and without, by the ways that
// there are.
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
		"insists":   {target: &iscsitest.Target{Insists: []string{"HeaderDigest", "DataDigest"}}, twin: iscsi.RequireDigest},
		"on one":    {target: &iscsitest.Target{Insists: []string{"HeaderDigest"}}, twin: iscsi.AcceptDigest},
		"no lists":  {target: &iscsitest.Target{NoDigestLists: 0x0200}},
		"CHAP":      {&iscsitest.Target{Auth: &iscsitest.Auth{User: "machine", Secret: ourSecret}}, prove(ourSecret, "", ""), chap, iscsi.NoDigest},
		"CHAP, MD5": {&iscsitest.Target{Auth: &iscsitest.Auth{User: "machine", Secret: ourSecret, NoLists: 0x0200}}, prove(ourSecret, "", ""), chap, iscsi.NoDigest},
	} {
		t.Run(name, func(t *testing.T) {
			target := tt.target
			portal := watched(t, target, func(all []opened) {
				last := all[len(all)-1]
				host, _, _ := net.SplitHostPort(last.conn.RemoteAddr().String())
				if last.isid[0]>>6 != 2 && last.isid != ours || last.isid != ours && host != "127.0.0.2" {
					t.Errorf("a session with ISID %x from %s", last.isid, host)
				}
			})
			s, k := sessionAt(t, tt.edit, closed(t), portal)
			twin(t, portal, tt.chap, tt.twin)
			found, err := s.Duplicate(t.Context(), []Way{from("192.0.2.77"), from("127.0.0.2")}, long)
			if !found || err != nil {
				t.Errorf("%v, %v", found, err)
			}
			left(t, target, 1) // the twin's
			if n := len(k.Requests()); n != 2 {
				t.Errorf("the kernel was asked %d times, want only for its session", n)
			}
		})
	}
}

// Nothing else is taken for another machine, and nothing is left at the target.
func TestNoDuplicate(t *testing.T) {
	subject := func(o opened) bool { return o.isid == ours }
	other := func(o opened) bool { return o.isid != ours }
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
		"ours, and dead others": {third(func(all []opened) {
			for _, o := range all {
				o.conn.mute.Store(other(o))
			}
			closeSome(all, subject)
		}), long, "deadline exceeded"},
		"an other, at once": {func(all []opened) { closeSome(all, other) }, long, "session with ISID 80"},
		"ours, once":        {third(func(all []opened) { closeSome(all, subject) }), 50 * time.Millisecond, ""},
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
			left(t, target, 0)
		})
	}
}

// third is called with the sessions of the first trial when all three are there. The order of two
// of them may be another than that of their logins.
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

// Where there is no login there is no result, and the context ends it.
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
	left(t, target, 0)
}
