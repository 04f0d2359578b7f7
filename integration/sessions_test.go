package integration

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel/kerneltest"
	"github.com/iscsiroot/iscsiroot/pkg/lab/faultproxy"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// initiatorRig runs pkg/session in this process, over a fake kernel that only forwards PDUs, with a
// real target behind a proxy. Connections to the target have one or the other of the host's
// addresses.
type initiatorRig struct {
	*rig
	proxy    *faultproxy.Proxy
	name     string
	sessions func() (int, error)

	mu     sync.Mutex
	source string // of future connections
}

// newInitiatorRig starts a proxy in front of a target without CHAP; sessions counts the target's
// sessions.
func (r *rig) newInitiatorRig(target targets.Target, sessions func() (int, error)) *initiatorRig {
	r.t.Helper()
	i := &initiatorRig{rig: r, name: target.Name(), sessions: sessions, source: "10.77.0.1"}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	i.proxy = faultproxy.Start(l, func(ctx context.Context) (conn net.Conn, err error) {
		i.mu.Lock()
		d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(i.source), 0))}
		i.mu.Unlock()
		err = r.ns.Do(func() error {
			conn, err = d.DialContext(ctx, "tcp", target.Addr().String())
			return err
		})
		return conn, err
	})
	i.proxy.Follow()
	r.t.Cleanup(func() { _ = i.proxy.Close() })
	return i
}

// from sets the source address of future connections.
func (i *initiatorRig) from(addr string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.source = addr
}

// newSession is one machine's first session, and the events of its kernel. All machines have the
// same name and ISID.
func (i *initiatorRig) newSession() (*session.Session, <-chan kernel.Event) {
	i.t.Helper()
	k := kerneltest.New()
	tr := k.Transport()
	events := tr.Watch()
	i.t.Cleanup(func() {
		k.Close()
		_ = tr.Close()
	})
	reserved, err := session.Reserve(i.ctx, tr)
	if err != nil {
		i.t.Fatal(err)
	}
	at := i.proxy.Addr().(*net.TCPAddr).AddrPort()
	return session.New(reserved, session.Config{Initiator: initiator, Target: bootspec.Target{
		Name:    bootspec.Value[string]{V: i.name, From: "iscsi_t="},
		Portals: []bootspec.Value[bootspec.Portal]{{V: bootspec.Portal{Host: at.Addr().String(), Port: at.Port()}, From: "iscsi_a="}},
	}}), events
}

// relogin connects and logs in, as the agent does.
func relogin(ctx context.Context, s *session.Session) error {
	c, err := s.Connect(ctx)
	if err != nil {
		return err
	}
	return s.Relogin(ctx, c)
}

// login logs in, with the agent's retries: on a busy host a target may take longer to answer than
// the first time-out of a login.
func (i *initiatorRig) login(s *session.Session) {
	i.t.Helper()
	err := relogin(i.ctx, s)
	for try := 1; err != nil && try < 4; try++ {
		i.t.Logf("%v: trying again", err)
		err = relogin(i.ctx, s)
	}
	if err != nil {
		i.t.Fatal(err)
	}
}

// waitSessions waits until the target has that many sessions: it removes a session a moment after
// its end.
func (i *initiatorRig) waitSessions(what string, want int) {
	i.t.Helper()
	n, err := i.sessions()
	for end := time.Now().Add(10 * time.Second); n != want && err == nil && time.Now().Before(end); n, err = i.sessions() {
		time.Sleep(50 * time.Millisecond)
	}
	if n != want || err != nil {
		i.t.Errorf("%s at %s: %d sessions, %v, want %d", what, i.name, n, err, want)
	}
}

// checkOneSession logs in twenty times after a loss of the connection that the target does not
// notice, after resets, and from another address each time, and checks that the target has one
// session. Then it adds a second machine with the same name and ISID.
func (i *initiatorRig) checkOneSession() {
	i.t.Helper()
	s, _ := i.newSession()
	i.login(s)
	i.waitSessions("the first login", 1)
	for range 20 {
		i.proxy.BlackHole()
		i.login(s)
	}
	i.waitSessions("twenty black holes", 1)
	for range 20 {
		i.proxy.Reset()
		i.login(s)
	}
	i.waitSessions("twenty resets", 1)
	for _, addr := range []string{"10.77.0.9", "10.77.0.1", "10.77.0.9"} {
		i.proxy.BlackHole()
		i.from(addr)
		i.login(s)
	}
	i.waitSessions("three changes of address", 1)
	i.checkDuplicate(s)
}

// checkDuplicate checks the detection of another machine with the same name and ISID, without one
// and with one.
func (i *initiatorRig) checkDuplicate(s *session.Session) {
	i.t.Helper()
	if err := s.Stop(i.ctx); err != nil {
		i.t.Fatal(err)
	}
	i.proxy.Reset() // so that the target drops the connections of the black holes
	if found, err := s.Duplicate(i.ctx, nil, 300*time.Millisecond); found || err != nil {
		i.t.Errorf("at %s, alone: %v, %v", i.name, found, err)
	}
	i.waitSessions("without another machine", 0)
	other, events := i.newSession()
	i.login(other)
	ctx, cancel := context.WithCancel(i.ctx)
	var running sync.WaitGroup
	running.Go(func() { reloginOnLoss(ctx, other, events) })
	found, err := s.Duplicate(i.ctx, nil, 5*time.Second)
	for try := 1; !found && try < 5; try++ { // the agent probes again after the next short connections
		i.t.Logf("at %s, with another machine: %v, %v: trying again", i.name, found, err)
		found, err = s.Duplicate(i.ctx, nil, 5*time.Second)
	}
	if !found || err != nil {
		i.t.Errorf("at %s, with another machine: %v, %v", i.name, found, err)
	}
	i.waitSessions("the other machine", 1)
	cancel()
	running.Wait()
}

// afterLoss replaces DefaultTime2Wait, which is 2 s (RFC 7143 section 13.15). Two simultaneous
// logins of the same name and ISID are refused by tgtd, or end in two sessions.
const afterLoss = 100 * time.Millisecond

// reloginOnLoss logs in after each loss of the session, with retries, until ctx ends.
func reloginOnLoss(ctx context.Context, s *session.Session, events <-chan kernel.Event) {
	for {
		select {
		case <-events:
			time.Sleep(afterLoss)
			for relogin(ctx, s) != nil && ctx.Err() == nil {
				time.Sleep(afterLoss)
			}
		case <-ctx.Done():
			return
		}
	}
}

// After any loss of a connection the next login leaves one session at the target, also without
// CHAP; and a second machine with the same name and ISID is detected. TestLIO checks the same with
// LIO.
func TestOneSessionAtTgtd(t *testing.T) {
	r := newPeerRig(t)
	r.makeDisk(images.Filesystem{Type: "ext2", MiB: 4, Tree: images.Tree{}})
	target := r.startTgtd(targets.Config{})
	r.newInitiatorRig(target, func() (int, error) { return target.Sessions(r.ctx) }).checkOneSession()
}
