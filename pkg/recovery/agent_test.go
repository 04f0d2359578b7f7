package recovery

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// rig is an agent at work in a bubble of its own time.
type rig struct {
	*fake
	events    chan kernel.Event
	network   chan Change
	listeners []uint32
	blind     error         // why they cannot be seen
	ways      []session.Way // that there are
	removed   []netip.Addr  // that the machine does not have any more
	temporary []netip.Addr
	few       bool // retries
	unread    int  // bytes, by each listener
	noCarrier bool
	devices   map[string]string // that stand for NICs
	agent     *Agent
	log       []string
	status    []Status
}

func (r *rig) Errorf(format string, args ...any) { r.write("error: "+format, args...) }
func (r *rig) Warnf(format string, args ...any)  { r.write("warning: "+format, args...) }
func (r *rig) Infof(format string, args ...any)  { r.write("info: "+format, args...) }

func (r *rig) write(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log = append(r.log, fmt.Sprintf(format, args...))
}

// logged returns the log so far, a line each.
func (r *rig) logged() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.log, "\n")
}

// sawLog reports whether the log has these parts of lines, in this order.
func (r *rig) sawLog(parts ...string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, line := range r.log {
		if len(parts) > 0 && strings.Contains(line, parts[0]) {
			parts = parts[1:]
		}
	}
	return len(parts) == 0
}

// inTime runs a test with an agent whose clock is the bubble's.
func inTime(t *testing.T, test func(t *testing.T, r *rig), past ...Status) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{fake: &fake{sid: 1, up: true}, events: make(chan kernel.Event), network: make(chan Change)}
		a := New(Config{
			Sessions: []Session{r.fake}, Events: r.events, Network: r.network, Log: r,
			Listeners:          func() ([]uint32, error) { r.mu.Lock(); defer r.mu.Unlock(); return r.listeners, r.blind },
			NeedsAdministrator: func(err error) bool { return errors.Is(err, errAuth) },
			Past:               past,
			Ways:               func() []session.Way { r.mu.Lock(); defer r.mu.Unlock(); return r.ways },
			Local: func(w session.Way) bool {
				r.mu.Lock()
				defer r.mu.Unlock()
				return !slices.Contains(r.removed, w.Source)
			},
			Temporary:  func() []netip.Addr { r.mu.Lock(); defer r.mu.Unlock(); return r.temporary },
			Device:     func(nic string) string { r.mu.Lock(); defer r.mu.Unlock(); return r.devices[nic] },
			Carrier:    func(session.Way) bool { r.mu.Lock(); defer r.mu.Unlock(); return !r.noCarrier },
			FewRetries: func(uint32) bool { r.mu.Lock(); defer r.mu.Unlock(); return r.few },
			Unread:     func(uint32) (int, error) { r.mu.Lock(); defer r.mu.Unlock(); return r.unread, nil },
			Changed:    func(s []Status) { r.mu.Lock(); defer r.mu.Unlock(); r.status = s },
		})
		r.agent = a
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); a.Run(ctx) }()
		defer func() {
			cancel()
			<-done
			synctest.Wait()
			r.mu.Lock()
			defer r.mu.Unlock()
			if r.open != 0 {
				t.Errorf("%d connections were left open", r.open)
			}
			if t.Failed() {
				t.Logf("log:\n%s", strings.Join(r.log, "\n"))
			}
		}()
		test(t, r)
	})
}

var errAuth = errors.New("refused (0201)")

func (r *rig) breakConnection() {
	r.set(func(f *fake) { f.up = false })
	r.events <- kernel.Event{SID: 1, Stops: r.Stops(), Err: kernel.TargetClosed}
}

func (r *rig) loginCount() int  { r.mu.Lock(); defer r.mu.Unlock(); return r.logins }
func (r *rig) logoutCount() int { r.mu.Lock(); defer r.mu.Unlock(); return r.logouts }
func (r *rig) dialCount() int   { r.mu.Lock(); defer r.mu.Unlock(); return len(r.dials) }
func (r *rig) state() Status    { r.mu.Lock(); defer r.mu.Unlock(); return r.status[0] }

func (r *rig) isUp() bool {
	up, _ := r.Up()
	return up
}

func TestLoginImmediatelyAfterConnectionLoss(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		time.Sleep(20 * time.Second)
		r.breakConnection()
		time.Sleep(100 * time.Millisecond)
		if !r.isUp() || r.loginCount() != 1 {
			t.Errorf("up %v after %d logins", r.isUp(), r.loginCount())
		}
		if !r.sawLog("warning: session 1 to iqn.test:t: connection lost: target closed the connection", "logged in again after 0.0 s") {
			t.Error("the message is missing")
		}
		if s := r.state(); !s.Up || s.Outages != 1 {
			t.Errorf("status %+v", s)
		}
	})
}

// Dials that get no answer overlap, so that the first one that is answered is used.
func TestDialsOverlapWithoutAnswer(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.set(func(f *fake) { f.hole = true })
		r.breakConnection()
		time.Sleep(30 * time.Second)
		if n := r.dialCount(); n < 45 || n > 80 {
			t.Errorf("%d dials in 30 s", n)
		}
		r.set(func(f *fake) { f.hole = false })
		time.Sleep(700 * time.Millisecond)
		if !r.isUp() {
			t.Error("still down 0.7 s after the hole")
		}
		if !r.sawLog("connection lost", "down for 10 s: context deadline exceeded", "logged in again after 30.") {
			t.Error("the message is missing")
		}
	})
}

func TestDialImmediatelyWhenNetworkIsUp(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.set(func(f *fake) { f.dialErr = errors.New("network is unreachable") })
		r.breakConnection()
		time.Sleep(time.Hour)
		r.set(func(f *fake) { f.dialErr = nil })
		r.network <- Change{Up: true}
		time.Sleep(50 * time.Millisecond)
		if !r.isUp() {
			t.Error("still down")
		}
		lines := 0
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, l := range r.log {
			if strings.Contains(l, "down for") {
				lines++
			}
		}
		if lines < 13 || lines > 14 { // 10 s, 1 min, then each 5 min
			t.Errorf("%d lines in an hour", lines)
		}
	})
}

// A refusal that needs an administrator is retried after longer pauses.
func TestPausesAfterRefusal(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.set(func(f *fake) { f.loginErr = errAuth })
		r.breakConnection()
		time.Sleep(10 * time.Minute)
		if r.loginCount() < 10 || r.loginCount() > 15 {
			t.Errorf("%d logins in 10 min", r.loginCount())
		}
		r.set(func(f *fake) { f.loginErr = nil })
		time.Sleep(61 * time.Second)
		if !r.isUp() {
			t.Error("still down")
		}
	})
}

// A failed login is retried soon, on a new connection.
func TestFailedLoginIsRetried(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.set(func(f *fake) { f.loginErr = errors.New("target went away") })
		r.breakConnection()
		time.Sleep(100 * time.Millisecond)
		r.set(func(f *fake) { f.loginErr = nil })
		time.Sleep(700 * time.Millisecond)
		if !r.isUp() || r.loginCount() < 2 {
			t.Errorf("up %v after %d logins", r.isUp(), r.loginCount())
		}
	})
}

// A survey of the kernel's state finds a connection whose event was lost.
func TestSurveyFindsLostEvent(t *testing.T) {
	for name, poke := range map[string]func(r *rig){
		"by time":      func(*rig) { time.Sleep(31 * time.Second) },
		"after a loss": func(r *rig) { r.events <- kernel.Event{Err: kernel.ErrEventsLost} },
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(t *testing.T, r *rig) {
				time.Sleep(time.Second)
				r.set(func(f *fake) { f.up = false })
				poke(r)
				time.Sleep(50 * time.Millisecond)
				if !r.isUp() || !r.sawLog("connection lost: found down") {
					t.Error("not found")
				}
			})
		})
	}
}

func TestSessionDownAtStart(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.set(func(f *fake) { f.up = false })
		time.Sleep(31 * time.Second)
		if !r.isUp() {
			t.Error("still down")
		}
	})
}

func async(e iscsi.AsyncEvent, wait uint16) kernel.Event {
	return kernel.Event{SID: 1, PDU: iscsi.AsyncMessage{Event: e, Parameter2: wait}.PDU()}
}

func TestAsyncMessages(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.events <- async(iscsi.AsyncSCSI, 0)
		time.Sleep(100 * time.Millisecond)
		if r.loginCount() != 0 {
			t.Error("logged in again for a scsi event")
		}
		r.set(func(f *fake) {
			if f.changes != 1 {
				t.Errorf("the LUNs have changed %d times, want once", f.changes)
			}
		})
		r.set(func(f *fake) { f.wait = 3 * time.Second })
		r.events <- async(iscsi.AsyncLogoutRequest, 0)
		time.Sleep(2900 * time.Millisecond)
		if r.loginCount() != 0 || r.logoutCount() != 1 {
			t.Errorf("logout request: %d logouts, %d logins in its Time2Wait", r.logoutCount(), r.loginCount())
		}
		time.Sleep(200 * time.Millisecond)
		if r.loginCount() != 1 {
			t.Errorf("logout request: %d logins", r.loginCount())
		}
		time.Sleep(20 * time.Second)
		r.events <- async(iscsi.AsyncDropSession, 7)
		r.network <- Change{Up: true, Downtime: time.Minute} // is no reason
		time.Sleep(6900 * time.Millisecond)
		if r.loginCount() != 1 {
			t.Error("a login before the end of the requested pause")
		}
		time.Sleep(300 * time.Millisecond)
		if r.loginCount() != 2 {
			t.Errorf("drop session: %d logins", r.loginCount())
		}
		if !r.sawLog("pause requested by the target: waiting for 3 s", "the pause of 3 s is over", "pause requested by the target: waiting for 7 s", "the pause of 7 s is over") {
			t.Error("messages about the pauses are missing")
		}
	})
}

// The agent's loop calls Beat regularly; a loop that does not return from a call does not.
func TestBeatStopsWithLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var count atomic.Int32
		stuck, events := make(chan struct{}), make(chan struct{})
		a := New(Config{
			Log: &rig{fake: &fake{}}, Beat: func() { count.Add(1) }, BeatEvery: 5 * time.Second,
			Listeners: func() ([]uint32, error) {
				select {
				case <-events:
					<-stuck
				default:
				}
				return nil, nil
			},
		})
		ended := make(chan struct{})
		go func() { defer close(ended); a.Run(t.Context()) }()
		time.Sleep(29 * time.Second)
		if n := count.Load(); n != 6 {
			t.Errorf("%d beats in 29 s", n)
		}
		close(events) // the survey after 30 s does not return
		time.Sleep(time.Minute)
		was := count.Load()
		time.Sleep(time.Hour)
		if n := count.Load(); n != was || was > 8 {
			t.Errorf("%d beats, then %d of a stuck loop", was, n)
		}
		close(stuck)
		time.Sleep(time.Minute)
		if n := count.Load(); n < was+11 {
			t.Errorf("%d beats after the loop continued, %d before", n, was)
		}
	})
}
