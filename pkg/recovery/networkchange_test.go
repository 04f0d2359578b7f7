package recovery

import (
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
)

// A login whose request was lost in a network that was away is given up for a new one when the
// network is back; one that is answered meanwhile is not.
func TestLoginWhileTheNetworkIsAway(t *testing.T) {
	for name, c := range map[string]struct {
		login  time.Duration
		tell   Change
		logins int
	}{
		"lost":          {time.Hour, Change{Up: true, Downtime: 3 * time.Second}, 2},
		"moved":         {time.Hour, Change{AddressesChanged: true}, 2},
		"something new": {time.Hour, Change{Up: true}, 1},
		"answered soon": {2200 * time.Millisecond, Change{Up: true, Downtime: 3 * time.Second}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(t *testing.T, r *rig) {
				r.set(func(f *fake) { f.loginTime = c.login })
				r.breakConnection()
				time.Sleep(2 * time.Second)
				r.set(func(f *fake) { f.loginTime = 0 })
				r.network <- c.tell
				time.Sleep(400 * time.Millisecond)
				if r.loginCount() != c.logins || r.isUp() != (c.tell != Change{Up: true}) {
					t.Errorf("up %v after %d logins", r.isUp(), r.loginCount())
				}
			})
		})
	}
}

// On a network whose machines come and go, a target that takes six seconds for a login gets it
// done.
func TestRivalsAreRareInTheEnd(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.set(func(f *fake) { f.loginTime = 6 * time.Second })
		r.breakConnection()
		for range 200 {
			r.network <- Change{Up: true, Downtime: time.Minute}
			time.Sleep(time.Second)
		}
		if !r.isUp() {
			t.Errorf("still down after %d logins", r.loginCount())
		}
	})
}

// A carrier that goes for less than a second, again and again, stalls TCP for longer each time.
func TestCarrierFlaps(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.set(func(f *fake) { f.waiting, f.done = 1, 100 })
		for range 3 {
			r.network <- Change{CarrierLost: true}
			time.Sleep(700 * time.Millisecond)
			r.network <- Change{Up: true, Downtime: 700 * time.Millisecond}
			time.Sleep(200 * time.Millisecond)
		}
		if !r.isUp() || r.loginCount() == 0 || !r.sawLog("connection lost: no data received", "logged in again") {
			t.Errorf("%d logins", r.loginCount())
		}
	})
}

// The kernel is asked after each change: a break whose event was lost is noticed at once, also if
// the state shows it a little later.
func TestAskedAfterEachChange(t *testing.T) {
	for name, after := range map[string]time.Duration{"at once": 0, "in a moment": 90 * time.Millisecond, "later": 900 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(t *testing.T, r *rig) {
				time.Sleep(15 * time.Second)
				r.breakConnection()
				for !r.isUp() {
					time.Sleep(time.Millisecond)
				}
				time.Sleep(after)
				r.set(func(f *fake) { f.up = false })
				time.Sleep(time.Second)
				if !r.isUp() || r.loginCount() != 2 || !r.sawLog("logged in again", "found down", "logged in again") {
					t.Errorf("up %v after %d logins", r.isUp(), r.loginCount())
				}
			})
		})
	}
}

// After the event the kernel shows the session as up until it has cleaned up: that is not its
// recovery.
func TestStateFollowsTheEventLate(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.set(func(f *fake) { f.dialErr = kernel.TargetClosed })
		r.events <- kernel.Event{SID: 1, Stops: r.Stops(), Err: kernel.TargetClosed}
		r.events <- kernel.Event{Err: kernel.ErrEventsLost} // asks
		time.Sleep(50 * time.Millisecond)
		if r.state().Up {
			t.Error("an outage was ended by the state of before")
		}
		r.set(func(f *fake) { f.up, f.dialErr = false, nil })
		time.Sleep(time.Second)
		if !r.isUp() || r.loginCount() != 1 {
			t.Errorf("up %v after %d logins", r.isUp(), r.loginCount())
		}
	})
}

// An outage is as long as the target was silent: what the ping waited for counts.
func TestLengthSinceTheLastAnswer(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		time.Sleep(time.Minute + time.Second)
		r.set(func(f *fake) { f.up, f.silence, f.hole = false, 45*time.Second, true })
		r.events <- kernel.Event{SID: 1, Stops: r.Stops(), Err: kernel.PingTimedOut}
		time.Sleep(2 * time.Second)
		r.set(func(f *fake) { f.hole = false })
		if d := r.state().Down; d != 45*time.Second {
			t.Errorf("down for %v", d)
		}
		time.Sleep(600 * time.Millisecond)
		if l := r.state().Longest; l < 47*time.Second || l > 48*time.Second || !r.sawLog("logged in again after 47.") {
			t.Errorf("longest %v", l)
		}
		r.set(func(f *fake) { f.up = false }) // no connection is silent since before its login
		time.Sleep(time.Second)
		r.breakConnection()
		time.Sleep(5 * time.Second)
		r.set(func(f *fake) { f.up, f.dialErr = false, kernel.TargetClosed })
		r.events <- kernel.Event{SID: 1, Stops: r.Stops(), Err: kernel.PingTimedOut}
		time.Sleep(time.Millisecond)
		if d := r.state().Down; d > 7*time.Second {
			t.Errorf("down for %v", d)
		}
	})
}

// A stall began when commands ended last.
func TestStallSinceTheLastProgress(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.set(func(f *fake) { f.waiting, f.done = 1, 5 })
		r.network <- Change{CarrierLost: true}
		time.Sleep(3 * time.Second)
		r.network <- Change{Up: true, Downtime: 3 * time.Second}
		time.Sleep(50 * time.Millisecond)
		if l := r.state().Longest; l < 3*time.Second || l > 3100*time.Millisecond {
			t.Errorf("longest %v", l)
		}
	})
}
