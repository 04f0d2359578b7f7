package recovery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
)

// After a network outage a connection that the kernel shows as up, and that transfers nothing, is
// replaced by a new one.
func TestStallAfterNetworkOutage(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.set(func(f *fake) { f.waiting, f.done = 3, 100 })
		r.network <- Change{Up: true, Downtime: 500 * time.Millisecond} // too short to stall TCP
		time.Sleep(time.Second)
		if r.loginCount() != 0 {
			t.Fatal("logged in again for a blink of the link")
		}
		r.network <- Change{Up: true, Downtime: 3 * time.Second}
		time.Sleep(250 * time.Millisecond)
		if r.loginCount() != 1 || !r.sawLog("connection lost: no data received since the network outage", "logged in again after 3.1 s") {
			t.Errorf("%d logins", r.loginCount())
		}
	})
}

// A connection without progress since the carrier was lost is replaced without a further check.
func TestStallSinceCarrierLoss(t *testing.T) {
	for name, c := range map[string]struct {
		during, after func(*fake)
		logins        int // 20 ms after the carrier is back
	}{
		"waits":             {func(f *fake) { f.waiting = 2 }, nil, 1},
		"waited before":     {func(f *fake) {}, nil, 1},
		"has made progress": {func(f *fake) { f.done++ }, nil, 0},
		"has nothing to do": {func(f *fake) { f.waiting = 0 }, nil, 0},
		"makes progress":    {func(f *fake) { f.dialErr = errors.New("no route") }, func(f *fake) { f.done, f.dialErr = f.done+1, nil }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(t *testing.T, r *rig) {
				r.set(func(f *fake) { f.waiting, f.done = 1, 100 })
				r.network <- Change{CarrierLost: true}
				time.Sleep(time.Second)
				r.set(c.during)
				time.Sleep(2 * time.Second)
				r.network <- Change{Up: true, Downtime: 3 * time.Second}
				time.Sleep(20 * time.Millisecond)
				if c.after != nil {
					r.set(c.after)
					time.Sleep(time.Second)
				}
				if r.loginCount() != c.logins {
					t.Errorf("%d logins", r.loginCount())
				}
			})
		})
	}
}

// A connection that the kernel ends while a new one is dialled needs a login, although no command
// waits any more.
func TestStalledConnectionEnds(t *testing.T) {
	for name, event := range map[string]bool{"with an event": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(t *testing.T, r *rig) {
				r.set(func(f *fake) { f.waiting, f.done, f.dialErr = 1, 5, errors.New("no route") })
				r.network <- Change{CarrierLost: true}
				time.Sleep(3 * time.Second)
				r.network <- Change{Up: true, Downtime: 3 * time.Second}
				time.Sleep(300 * time.Millisecond)
				if r.set(func(f *fake) { f.up, f.waiting, f.dialErr = false, 0, nil }); event {
					r.events <- kernel.Event{SID: 1, Stops: r.Stops(), Err: kernel.TargetClosed}
				}
				time.Sleep(time.Second)
				if r.loginCount() != 1 || !r.isUp() {
					t.Errorf("%d logins, up %v", r.loginCount(), r.isUp())
				}
			})
		})
	}
}

// A loss of the carrier before the last login is no evidence of a stall, nor is one that lasted for
// a moment only.
func TestCarrierLossIsCleared(t *testing.T) {
	for name, between := range map[string]func(r *rig){
		"logged in": func(r *rig) { r.breakConnection(); time.Sleep(time.Second) },
		"short":     func(r *rig) { r.network <- Change{Up: true, Downtime: 100 * time.Millisecond}; time.Sleep(time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(t *testing.T, r *rig) {
				r.set(func(f *fake) { f.done = 100 })
				r.network <- Change{CarrierLost: true}
				time.Sleep(20 * time.Millisecond)
				between(r)
				logins := r.loginCount()
				r.set(func(f *fake) { f.waiting = 1 })
				r.network <- Change{Up: true, Downtime: time.Minute} // a neighbour
				time.Sleep(50 * time.Millisecond)
				r.set(func(f *fake) { f.waiting, f.done = 0, 101 })
				time.Sleep(time.Second)
				if r.loginCount() != logins || r.sawLog("no data received since") {
					t.Errorf("%d logins, %d before", r.loginCount(), logins)
				}
			})
		})
	}
}

// A short loss of the carrier has no consequence.
func TestShortCarrierLoss(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.set(func(f *fake) { f.waiting, f.done = 1, 100 })
		r.network <- Change{CarrierLost: true}
		time.Sleep(100 * time.Millisecond)
		r.network <- Change{Up: true, Downtime: 100 * time.Millisecond}
		time.Sleep(time.Second)
		if r.loginCount() != 0 || r.dialCount() != 0 {
			t.Errorf("%d dials, %d logins", r.dialCount(), r.loginCount())
		}
	})
}

// A connection that makes progress, or has no command to do, is not changed, also by the next
// survey.
func TestProgressIsNoStall(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.network <- Change{Up: true, Downtime: 20 * time.Second}
		time.Sleep(5 * time.Second) // idle
		for range 200 {             // slow
			r.set(func(f *fake) { f.waiting, f.done = 8, f.done+1 })
			time.Sleep(90 * time.Millisecond)
		}
		time.Sleep(40 * time.Second) // no data, and no sign of a network outage
		if r.loginCount() != 0 || r.dialCount() != 0 {
			t.Errorf("%d dials, %d logins", r.dialCount(), r.loginCount())
		}
	})
}

// A connection that makes progress while a new one is dialled is kept.
func TestStallEndsDuringDial(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.set(func(f *fake) { f.waiting, f.done, f.dialErr = 1, 5, errors.New("no route") })
		r.network <- Change{Up: true, Downtime: 3 * time.Second}
		time.Sleep(300 * time.Millisecond)
		r.set(func(f *fake) { f.done, f.dialErr = 6, nil })
		time.Sleep(time.Second)
		if r.loginCount() != 0 || !r.sawLog("connection lost", "recovered without a login after") {
			t.Errorf("%d logins", r.loginCount())
		}
	})
}

// A request of the target is carried out although the kernel shows the session as up; requests for
// sessions of iscsid are left to iscsid.
func TestAsyncMessageNeedsLogin(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.events <- async(iscsi.AsyncDropConnection, 50)
		time.Sleep(49 * time.Second) // two surveys
		if r.loginCount() != 0 || r.state().Up {
			t.Errorf("%d logins, status %+v", r.loginCount(), r.state())
		}
		time.Sleep(2 * time.Second)
		if r.loginCount() != 1 || !r.state().Up {
			t.Errorf("%d logins, status %+v", r.loginCount(), r.state())
		}
		r.set(func(f *fake) {})
		r.mu.Lock()
		r.listeners = []uint32{77}
		r.mu.Unlock()
		time.Sleep(time.Minute)
		r.events <- async(iscsi.AsyncLogoutRequest, 0)
		time.Sleep(time.Minute)
		if r.logoutCount() != 0 || r.loginCount() != 1 {
			t.Errorf("carried out for iscsid: %d logouts, %d logins", r.logoutCount(), r.loginCount())
		}
	})
}

// The drop of a connection that the session does not have is ignored.
func TestAsyncMessageOfUnknownConnection(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.events <- kernel.Event{SID: 1, PDU: iscsi.AsyncMessage{Event: iscsi.AsyncDropConnection, Parameter1: 4}.PDU()}
		time.Sleep(time.Minute)
		if r.loginCount() != 0 {
			t.Errorf("%d logins", r.loginCount())
		}
	})
}

// Without answers the number of dials reaches its limit; when the network is up, one more begins
// immediately.
func TestOneMoreDialWhenNetworkIsUp(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.set(func(f *fake) { f.hole = true })
		r.breakConnection()
		time.Sleep(20 * time.Second)
		r.set(func(f *fake) { f.hole = false })
		r.network <- Change{Up: true, Downtime: 20 * time.Second}
		time.Sleep(20 * time.Millisecond)
		if !r.isUp() {
			t.Error("still down 20 ms after the network came up")
		}
	})
}

// An agent continues the outage of the one before it.
func TestResumeOutage(t *testing.T) {
	past := Status{SID: 1, Outages: 7, Longest: time.Hour, Down: 2 * time.Minute, Cause: "target closed the connection"}
	inTime(t, func(t *testing.T, r *rig) {
		time.Sleep(time.Second)
		if s := r.state(); !s.Up || s.Outages != 8 || s.Longest != time.Hour {
			t.Errorf("status %+v", s)
		}
		if !r.sawLog("logged in again after 120.") || r.sawLog("connection lost") {
			t.Error("the log does not continue the outage")
		}
	}, past)
	past.Up, past.Down = true, 0
	inTime(t, func(t *testing.T, r *rig) {
		time.Sleep(time.Second)
		if s := r.state(); !s.Up || s.Outages != 7 {
			t.Errorf("status %+v", s)
		}
	}, past)
}

func (r *rig) all() []Status { r.mu.Lock(); defer r.mu.Unlock(); return r.status }

// Each of several sessions has its own outage.
func TestSessionsHaveTheirOwnOutages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &rig{fake: &fake{sid: 1, up: true}, events: make(chan kernel.Event)}
		second := &fake{sid: 2, up: true, dialErr: errors.New("no route")}
		a := New(Config{
			Sessions: []Session{r.fake, second}, Events: r.events, Log: r,
			Listeners: func() ([]uint32, error) { return nil, nil },
			Changed:   func(s []Status) { r.mu.Lock(); defer r.mu.Unlock(); r.status = s },
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); a.Run(ctx) }()
		defer func() { cancel(); <-done }()
		second.set(func(f *fake) { f.up = false })
		r.events <- kernel.Event{SID: 2, Err: kernel.TargetClosed}
		time.Sleep(10 * time.Second)
		r.breakConnection()
		time.Sleep(time.Second)
		if s := r.all(); !r.isUp() || len(s) != 2 || !s[0].Up || s[1].Up {
			t.Errorf("status %+v", s)
		}
		second.set(func(f *fake) { f.dialErr = nil })
		time.Sleep(time.Second)
		if s := r.all(); !s[1].Up || s[1].Outages != 1 || s[0].Outages != 1 {
			t.Errorf("status %+v", s)
		}
	})
}

// TestDayOfFaults has a fault every twenty seconds for a day, of all kinds in turn, and looks for
// what they leave behind in the memory of the agent's loop. Sessions, kernel, network and log are
// simulated: what those take is measured by TestNetworkFaults in integration.
func TestDayOfFaults(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		faults := []func(){
			r.breakConnection,
			func() { r.set(func(f *fake) { f.hole = true }); r.breakConnection() },
			func() { r.set(func(f *fake) { f.dialErr = io.EOF }); r.breakConnection() },
			func() {
				r.set(func(f *fake) { f.loginErr = errors.New("target closed the connection") })
				r.breakConnection()
			},
			func() { r.set(func(f *fake) { f.loginErr = errAuth }); r.breakConnection() },
			func() { r.events <- async(iscsi.AsyncLogoutRequest, 0) },
			func() { r.events <- async(iscsi.AsyncDropSession, 1) },
			func() { r.events <- kernel.Event{Err: kernel.ErrEventsLost} },
			func() { r.set(func(f *fake) { f.waiting++ }); r.network <- Change{Up: true, Downtime: 5 * time.Second} },
			func() { r.set(func(f *fake) { f.up = false }); r.network <- Change{Up: true} },
		}
		rounds := int(24 * time.Hour / (20 * time.Second))
		measure := func() (heap uint64, goroutines int) {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapAlloc, runtime.NumGoroutine()
		}
		var heap uint64
		var goroutines int
		for i := range rounds {
			faults[i%len(faults)]()
			time.Sleep(10 * time.Second)
			r.set(func(f *fake) { f.hole, f.dialErr, f.loginErr, f.waiting = false, nil, nil, 0 })
			time.Sleep(10 * time.Second)
			r.mu.Lock()
			r.log, r.dials, r.causes = nil, nil, nil // the test's own
			r.mu.Unlock()
			if i == rounds/10 {
				heap, goroutines = measure()
			}
		}
		time.Sleep(2 * time.Minute)
		heapEnd, goroutinesEnd := measure()
		if !r.isUp() || r.state().Outages < rounds/2 {
			t.Errorf("up %v, status %+v", r.isUp(), r.state())
		}
		if heapEnd > heap+64<<10 || goroutinesEnd > goroutines {
			t.Errorf("heap %d then %d bytes, goroutines %d then %d", heap, heapEnd, goroutines, goroutinesEnd)
		}
		t.Logf("%d faults, %d outages, heap %d then %d bytes", rounds, r.state().Outages, heap, heapEnd)
	})
}

// A refusal that needs an administrator is logged immediately.
func TestRefusalIsLoggedImmediately(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.set(func(f *fake) { f.loginErr = errAuth })
		r.breakConnection()
		time.Sleep(time.Second)
		if !r.sawLog("connection lost", "down for 0 s: refused (0201)") {
			t.Error("not logged")
		}
		time.Sleep(8 * time.Second)
		r.mu.Lock()
		defer r.mu.Unlock()
		if len(r.log) != 2 {
			t.Errorf("log %q", r.log)
		}
	})
}

func TestAsyncErrorText(t *testing.T) {
	if s := fmt.Sprint(asyncError(iscsi.AsyncLogoutRequest)); !strings.HasPrefix(s, "target sent: ") {
		t.Error(s)
	}
}
