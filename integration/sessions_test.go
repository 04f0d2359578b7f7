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

// initiatorRig is pkg/session in this process, over a kernel that passes PDUs on and does nothing else, with a real target behind
// a proxy. The target sees the host's addresses, each for some of the connections.
type initiatorRig struct {
	*rig
	proxy    *faultproxy.Proxy
	name     string
	sessions func() (int, error)

	mu     sync.Mutex
	source string // of the connections to come
}

// newInitiatorRig puts a proxy in front of a target without CHAP; sessions counts those that the target has.
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

// from chooses the address of the connections to come.
func (i *initiatorRig) from(addr string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.source = addr
}

// newSession is one machine's first session, and what its kernel tells. All machines have the same name and ISID.
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

// relogin logs in as the agent does.
func relogin(ctx context.Context, s *session.Session) error {
	c, err := s.Connect(ctx)
	if err != nil {
		return err
	}
	return s.Relogin(ctx, c)
}

// login logs in, as often as the agent would: a target on a busy host may not answer for longer than a login's first patience.
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

// has waits until the target has that many sessions: it forgets one a moment after its end.
func (i *initiatorRig) has(what string, want int) {
	i.t.Helper()
	n, err := i.sessions()
	for end := time.Now().Add(10 * time.Second); n != want && err == nil && time.Now().Before(end); n, err = i.sessions() {
		time.Sleep(50 * time.Millisecond)
	}
	if n != want || err != nil {
		i.t.Errorf("%s at %s: %d sessions, %v, want %d", what, i.name, n, err, want)
	}
}

// one logs in twenty times after connections that are lost without the target's knowing, after resets, and from another address
// each time, and wants one session at the target. Then a second machine comes with the same name and ISID.
func (i *initiatorRig) one() {
	i.t.Helper()
	s, _ := i.newSession()
	i.login(s)
	i.has("the first login", 1)
	for range 20 {
		i.proxy.BlackHole()
		i.login(s)
	}
	i.has("twenty black holes", 1)
	for range 20 {
		i.proxy.Reset()
		i.login(s)
	}
	i.has("twenty resets", 1)
	for _, addr := range []string{"10.77.0.9", "10.77.0.1", "10.77.0.9"} {
		i.proxy.BlackHole()
		i.from(addr)
		i.login(s)
	}
	i.has("three changes of address", 1)
	i.twins(s)
}

// twins lets a session find out whether another machine has its name and ISID, without one and with one.
func (i *initiatorRig) twins(s *session.Session) {
	i.t.Helper()
	if err := s.Stop(i.ctx); err != nil {
		i.t.Fatal(err)
	}
	i.proxy.Reset() // of the black holes the target knows by now
	if found, err := s.Duplicate(i.ctx, nil, 300*time.Millisecond); found || err != nil {
		i.t.Errorf("at %s, alone: %v, %v", i.name, found, err)
	}
	i.has("without another machine", 0)
	other, events := i.newSession()
	i.login(other)
	ctx, cancel := context.WithCancel(i.ctx)
	var running sync.WaitGroup
	running.Go(func() { comesBack(ctx, other, events) })
	found, err := s.Duplicate(i.ctx, nil, 5*time.Second)
	for try := 1; !found && try < 5; try++ { // the agent looks again after the next short connections
		i.t.Logf("at %s, with another machine: %v, %v: trying again", i.name, found, err)
		found, err = s.Duplicate(i.ctx, nil, 5*time.Second)
	}
	if !found || err != nil {
		i.t.Errorf("at %s, with another machine: %v, %v", i.name, found, err)
	}
	i.has("the other machine", 1)
	cancel()
	running.Wait()
}

// afterLoss stands for DefaultTime2Wait, which is 2 s (RFC 7143 section 13.15). Two logins of the same name and ISID at the same
// time are refused by tgtd, or end in two sessions.
const afterLoss = 100 * time.Millisecond

// comesBack logs in whenever the session is lost, until ctx ends, as often as it takes.
func comesBack(ctx context.Context, s *session.Session, events <-chan kernel.Event) {
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

// However a connection is lost, the login that follows leaves one session at the target, also without CHAP; and a second machine
// with the same name and ISID is found out. make test has LIO in TestLIO.
func TestOneSessionAtTgtd(t *testing.T) {
	r := newPeerRig(t)
	r.makeDisk(images.Filesystem{Type: "ext2", MiB: 4, Tree: images.Tree{}})
	target := r.startTgtd(targets.Config{})
	r.newInitiatorRig(target, func() (int, error) { return target.Sessions(r.ctx) }).one()
}
