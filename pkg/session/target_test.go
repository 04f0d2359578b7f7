package session

import (
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/iscsitest"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel/kerneltest"
)

const (
	initiator  = "iqn.2007-01.com.example:server.remote1"
	targetName = "iqn.2007-01.com.example:storage.remote1"
)

// target plays one script per connection, in their order.
type target struct {
	portal netip.AddrPort

	mu       sync.Mutex
	requests [][]*iscsi.PDU // by connection
	peers    []string       // their remote addresses
	tasks    sync.WaitGroup
}

func startTarget(t *testing.T, scripts ...iscsitest.Script) *target {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tg := &target{portal: l.Addr().(*net.TCPAddr).AddrPort()}
	tg.tasks.Go(func() {
		for _, s := range scripts {
			conn, err := l.Accept()
			if err != nil {
				return // by the cleanup, and the test counts connections
			}
			// Errors of the initiator are visible in what it sent.
			requests, _ := s.Serve(conn)
			tg.mu.Lock()
			tg.requests = append(tg.requests, requests)
			tg.peers = append(tg.peers, conn.RemoteAddr().String())
			tg.mu.Unlock()
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		tg.tasks.Wait()
	})
	return tg
}

// logins waits for the end of the scripts and returns the login requests by connection.
func (tg *target) logins(t *testing.T) [][]*iscsi.LoginRequest {
	t.Helper()
	tg.tasks.Wait()
	var out [][]*iscsi.LoginRequest
	for _, pdus := range tg.requests {
		var one []*iscsi.LoginRequest
		for _, p := range pdus {
			r, err := iscsi.ParseLoginRequest(p)
			if err != nil {
				t.Fatal(err)
			}
			one = append(one, r)
		}
		out = append(out, one)
	}
	return out
}

// noAuth is the security stage of a target without CHAP.
var noAuth = iscsitest.Text("AuthMethod=None")

// welcome is a login, and a session without commands.
var welcome = iscsitest.Script{noAuth, agree, iscsitest.Silence()}

// agree is the operational stage.
var agree = iscsitest.Text(
	"TargetPortalGroupTag=5", "HeaderDigest=None", "DataDigest=None", "InitialR2T=No", "ImmediateData=Yes",
	"MaxRecvDataSegmentLength=65536", "MaxBurstLength=524288", "FirstBurstLength=131072", "MaxOutstandingR2T=1",
	"DefaultTime2Wait=2", "DefaultTime2Retain=0", "DataPDUInOrder=Yes", "DataSequenceInOrder=Yes", "ErrorRecoveryLevel=0", "MaxConnections=1",
)

// newSession makes a session in a kernel whose first session is 0x010203.
func newSession(t *testing.T, portal netip.AddrPort) (*Session, *kerneltest.Kernel) {
	t.Helper()
	k := kerneltest.New()
	k.FirstSID = 0x010202
	tr := k.Transport()
	t.Cleanup(func() {
		k.Close()
		if err := tr.Close(); err != nil {
			t.Error(err)
		}
		for _, err := range k.Errs() {
			t.Error(err)
		}
	})
	return startSession(t, tr, Config{Initiator: initiator, Target: specOf(portal)}), k
}

// startSession makes a session with short time-outs, which tries the next portal only when the
// previous one has failed: the order of the portals must not depend on the speed of the machine.
func startSession(t *testing.T, tr *kernel.Transport, c Config) *Session {
	t.Helper()
	k, err := Reserve(t.Context(), tr)
	if err != nil {
		t.Fatal(err)
	}
	s := New(k, c)
	s.times.response = 2 * time.Second
	s.times.stagger = time.Hour
	return s
}

// specOf returns a target with these portals.
func specOf(portals ...netip.AddrPort) bootspec.Target {
	target := bootspec.Target{Name: bootspec.Value[string]{V: targetName, From: "iscsi_t="}}
	for _, p := range portals {
		target.Portals = append(target.Portals, bootspec.Value[bootspec.Portal]{V: bootspec.Portal{Host: p.Addr().String(), Port: p.Port()}, From: "iscsi_a="})
	}
	return target
}
