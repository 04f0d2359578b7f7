package agent

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel/kerneltest"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
	"github.com/iscsiroot/iscsiroot/pkg/recovery"
	"github.com/iscsiroot/iscsiroot/pkg/recovery/uplink"
	"github.com/iscsiroot/iscsiroot/pkg/redundancy"
	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// workerOf is a worker with two sessions that the kernel of this machine does not have, and what it
// does with them.
func workerOf(t *testing.T) *worker {
	t.Helper()
	k := kerneltest.New()
	t.Cleanup(k.Close)
	transport := k.Transport()
	log := silent{}
	w := &worker{transport: transport, log: log, memory: newMemory(t), dir: t.TempDir()}
	for i := range uint32(2) {
		st := session.State{
			Record: session.Record{
				SID: 4_000_000_000 + i, Initiator: "iqn.i:i", Target: "iqn.t:t", Portals: []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:3260")},
			},
			Timers: session.Timers{Recovery: 86400},
		}
		w.state.Sessions = append(w.state.Sessions, st)
		w.sessions = append(w.sessions, &recovery.KernelSession{Session: session.Reopen(transport, st)})
	}
	w.uplinks = uplink.New(log, nil, func() {})
	w.disks = w.newDisks()
	cfg := recovery.Config{
		Events: make(chan kernel.Event), Network: make(chan recovery.Change), Log: log, Changed: w.changed,
		Listeners: func() ([]uint32, error) { return nil, nil },
	}
	for _, s := range w.sessions {
		cfg.Sessions = append(cfg.Sessions, s)
	}
	w.agent = recovery.New(cfg)
	return w
}

// kept is what the next worker finds.
func (w *worker) kept(t *testing.T) State {
	t.Helper()
	b, err := w.memory.load()
	if err != nil {
		t.Fatal(err)
	}
	s, err := parseState(b)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The next worker keeps a recovery_tmo that an administrator has set.
func TestNextWorkerKeepsRecoveryTimeout(t *testing.T) {
	w := workerOf(t)
	w.sessions[1].AdoptRecovery(300)
	_ = w.sessions[0].ReapplyRecovery() // it cannot be set now
	w.disksChanged()
	got := w.kept(t).Sessions
	if got[0].Timers.Recovery != 86400 || !got[0].Due || got[1].Timers.Recovery != 300 || got[1].Due {
		t.Errorf("kept %+v", got)
	}
}

// Sessions that a shutdown releases are not recovered any more. Those that are left keep their own
// state.
func TestReleasedSessionsAreNotRecovered(t *testing.T) {
	w := workerOf(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); w.agent.Run(ctx) }()
	if err := w.agent.Remove(w.sessions[0]); err != nil {
		t.Fatal(err)
	}
	if got := w.kept(t); len(got.Past) != 1 || got.Past[0].SID != w.sessions[1].SID || len(got.Sessions) != 2 {
		t.Errorf("after one was released: %+v", got.Past)
	}
	w.changed([]recovery.Status{{SID: w.sessions[1].SID, Up: true}})
	if got := w.kept(t); got.Sessions[0].SID != w.sessions[0].SID || got.Sessions[1].SID != w.sessions[1].SID {
		t.Errorf("the states are mixed up: %+v", got.Sessions)
	}
	disksEnded := make(chan struct{})
	go func() { defer close(disksEnded); w.disks.Run(ctx) }()
	for range 2 {
		if err := w.releaseSessions(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.kept(t); len(got.Past) != 0 {
		t.Errorf("after all were released: %+v", got.Past)
	}
	<-disksEnded
	cancel()
	<-ended
}

// While a request by rtnetlink waits, as it does while a driver resets its NIC, a report is
// written, and state is kept: the worker holds no lock meanwhile.
func TestWorkerHoldsNoLockDuringRTNL(t *testing.T) {
	uplinks := testState().Uplinks
	called, answer := make(chan struct{}), make(chan struct{})
	w := &worker{uplinks: uplink.New(silent{}, uplinks, func() {}), log: silent{}, memory: newMemory(t), dir: t.TempDir()}
	w.onRenewed = func(int, dhcp.Lease) { close(called); <-answer }
	w.state.Uplinks = uplinks
	renewed := make(chan struct{})
	go func() { defer close(renewed); w.renewed(0, uplinks[0].Lease) }()
	<-called
	w.changed(nil)
	w.networkChanged()
	if got := w.report(); !strings.Contains(got, "address 10.0.0.2/24") {
		t.Errorf("report %q", got)
	}
	if got := w.kept(t).Uplinks; len(got) != 1 || got[0].Lease.Address != uplinks[0].Lease.Address {
		t.Errorf("kept %+v", got)
	}
	close(answer)
	<-renewed
}

// A leg's commands are repeated a few times only where the other one is up, and was for a while:
// not while both lose their connections again and again. One whose other leg is stable is covered
// in any case.
func TestCoveredAfterOutages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := workerOf(t)
		defer func() { _ = w.transport.Close() }()
		first, second := w.sessions[0].SID, w.sessions[1].SID
		w.use = func(sid uint32, down []uint32) (u redundancy.Use) {
			if slices.Contains(down, first+second-sid) {
				return redundancy.Use{Fails: []string{"md0"}}
			}
			return redundancy.Use{Arrays: []string{"md0"}}
		}
		check := func(when string, one, other bool) {
			t.Helper()
			if got := [2]bool{w.covered(first), w.covered(second)}; got != [2]bool{one, other} {
				t.Errorf("%s: covered %v", when, got)
			}
		}
		set := func(one, other bool) {
			w.changed([]recovery.Status{{SID: first, Up: one}, {SID: second, Up: other}})
		}
		set(true, true)
		check("at first", true, true)
		set(false, true)
		check("one is down", true, false)
		time.Sleep(time.Hour)
		set(true, true)
		check("it is back", true, false)
		time.Sleep(unsettled)
		check("it has stayed", true, true)
		for range 3 {
			set(false, false)
			time.Sleep(time.Second)
			set(true, true)
			time.Sleep(unsettled / 2)
			check("both were down", false, false)
		}
		time.Sleep(unsettled)
		check("both have stayed", true, true)
	})
}
