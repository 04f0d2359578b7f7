package recovery

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
)

// guardRig is a Guard over fakes, in a bubble of its own time.
type guardRig struct {
	*rig
	guard *Guard
}

func guardInTime(t *testing.T, test func(t *testing.T, r *guardRig), past ...Status) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &guardRig{rig: &rig{fake: &fake{sid: 1, up: true}, events: make(chan kernel.Event, 64)}}
		r.guard = startGuard(r.events, r.rig, past, func([]Status) {})
		defer r.guard.Stop()
		if err := r.guard.add(r.fake); err != nil {
			t.Fatal(err)
		}
		test(t, r)
	})
}

// lose ends the connection, with the kernel's event.
func (r *guardRig) lose() {
	r.set(func(f *fake) { f.up = false })
	r.events <- kernel.Event{SID: 1, Stops: r.Stops(), Err: kernel.TargetClosed}
}

// A session is recovered as soon as it is added, also if its connection was lost before.
func TestGuardRecoversAddedSession(t *testing.T) {
	guardInTime(t, func(t *testing.T, r *guardRig) {
		n, up, err := r.guard.outages(1)
		if n != 0 || !up || err != nil {
			t.Errorf("%d outages, up %v, %v", n, up, err)
		}
		r.lose()
		if n, up, err = r.guard.outages(1); n != 1 || up || err != nil {
			t.Errorf("right after a loss: %d outages, up %v, %v", n, up, err)
		}
		if err := r.guard.waitUp(t.Context(), 1); err != nil {
			t.Error(err)
		}
		if n, up, err = r.guard.outages(1); n != 1 || !up || err != nil || r.logins != 1 {
			t.Errorf("after it: %d outages, up %v, %d logins, %v", n, up, r.logins, err)
		}
		second := &fake{sid: 2}
		if err := r.guard.add(second); err != nil {
			t.Fatal(err)
		}
		if err := r.guard.waitUp(t.Context(), 2); err != nil || second.logins != 1 {
			t.Errorf("a session that was lost before: %d logins, %v", second.logins, err)
		}
	})
}

// A wait for a session that is down returns the cause, and that the session is being recovered.
func TestGuardDownError(t *testing.T) {
	guardInTime(t, func(t *testing.T, r *guardRig) {
		r.set(func(f *fake) { f.dialErr = errors.New("connection refused") })
		r.lose()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		err := r.guard.waitUp(ctx, 1)
		var down *DownError
		if !errors.As(err, &down) || !down.Retryable() || err.Error() != "session 1 to iqn.test:t is down: connection refused" {
			t.Errorf("error %v", err)
		}
		if got, want := r.guard.Down(), "session 1 down for 20 s"; got != want {
			t.Errorf("down: %q, want %q", got, want)
		}
		r.set(func(f *fake) { f.dialErr = nil })
		if err := r.guard.waitUp(t.Context(), 1); err != nil || r.guard.Down() != "" {
			t.Errorf("after it: %v, %q", err, r.guard.Down())
		}
	})
}

// A session that is removed is not changed any more: a login under way is cancelled first.
func TestGuardRemove(t *testing.T) {
	guardInTime(t, func(t *testing.T, r *guardRig) {
		r.set(func(f *fake) { f.hole = true })
		r.lose()
		synctest.Wait()
		if err := r.guard.remove(1); err != nil {
			t.Fatal(err)
		}
		before := len(r.dials)
		if before == 0 {
			t.Error("no dial was under way")
		}
		r.set(func(f *fake) { f.hole = false })
		time.Sleep(time.Minute)
		if len(r.dials) != before || r.logins != 0 || r.open != 0 {
			t.Errorf("%d dials after %d, %d logins, %d connections left open", len(r.dials), before, r.logins, r.open)
		}
		if err := r.guard.remove(7); err != nil {
			t.Errorf("a session that is not recovered by the agent: %v", err)
		}
		if _, _, err := r.guard.outages(1); err == nil {
			t.Error("a session that was removed is still known")
		}
	})
}

// A Guard that is stopped during an outage returns its state, from which the next one continues the
// outage.
func TestGuardContinuesOutage(t *testing.T) {
	var past []Status
	guardInTime(t, func(t *testing.T, r *guardRig) {
		r.set(func(f *fake) { f.dialErr = errors.New("connection refused") })
		r.lose()
		time.Sleep(7 * time.Second)
		past = r.guard.Stop()
		if len(past) != 1 || past[0].Up || past[0].Down != 7*time.Second || !strings.Contains(past[0].Cause, "closed") {
			t.Errorf("known: %+v", past)
		}
		if err := r.guard.add(r.fake); !errors.Is(err, ErrEnded) {
			t.Errorf("added to a guard that has ended: %v", err)
		}
	})
	guardInTime(t, func(t *testing.T, r *guardRig) {
		if n, up, err := r.guard.outages(1); n != 1 || !up || err != nil {
			t.Errorf("%d outages, up %v, %v: the outage did not continue and end", n, up, err)
		}
		if !r.sawLog("logged in again after 7.0 s") {
			t.Error("the outage did not continue")
		}
	}, past...)
}

// A panic in the Agent ends only the attempt that was under way.
func TestGuardContinuesAfterPanic(t *testing.T) {
	guardInTime(t, func(t *testing.T, r *guardRig) {
		r.set(func(f *fake) { f.bug = true })
		r.lose()
		time.Sleep(11 * time.Second)
		if !r.sawLog("internal error: panic in connect to iqn.test:t: a bug") {
			t.Error("the bug is not in the log")
		}
		r.set(func(f *fake) { f.bug = false })
		if err := r.guard.waitUp(t.Context(), 1); err != nil {
			t.Error(err)
		}
		r.set(func(f *fake) { f.stateBug = true })
		r.events <- kernel.Event{Err: kernel.ErrEventsLost} // has the Agent's own goroutine read the state
		time.Sleep(time.Second)
		if !r.sawLog("internal error: panic in session recovery: a bug: restarting session recovery") {
			t.Error("the Agent's own bug is not in the log")
		}
		r.lose()
		time.Sleep(time.Second)
		if err := r.guard.waitUp(t.Context(), 1); err != nil || r.logins != 2 {
			t.Errorf("after the Agent's own bug: %d logins, %v", r.logins, err)
		}
	})
}

// An event of the old connection's end that arrives while it is stopped does not count for the new
// connection; one after the new connection's START does.
func TestConnectionEndDuringLogin(t *testing.T) {
	for _, tt := range []struct {
		name   string
		stops  uint32 // when the event came: before and after the login's stop
		logins int
	}{{"of the old connection", 0, 1}, {"of the new connection", 1, 2}} {
		t.Run(tt.name, func(t *testing.T) {
			guardInTime(t, func(t *testing.T, r *guardRig) {
				logins := func() (n int) {
					r.set(func(f *fake) { n = f.logins })
					return n
				}
				r.lose()
				time.Sleep(5 * time.Millisecond) // the login takes 10
				r.events <- kernel.Event{SID: 1, Stops: tt.stops, Err: kernel.TargetClosed}
				time.Sleep(time.Second)
				if n := logins(); n != tt.logins || !r.isUp() {
					t.Errorf("%d logins, want %d; up %v", n, tt.logins, r.isUp())
				}
				r.events <- kernel.Event{SID: 1, Stops: 0, Err: kernel.TargetClosed} // late
				time.Sleep(time.Second)
				if n := logins(); n != tt.logins {
					t.Errorf("%d logins after a late event, want %d", n, tt.logins)
				}
			})
		})
	}
}
