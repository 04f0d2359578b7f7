package recovery

import (
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
)

// A login whose request was lost during a network outage is cancelled in favour of a new one when
// the network is up again; one that was answered meanwhile is not.
func TestLoginDuringNetworkOutage(t *testing.T) {
	for name, c := range map[string]struct {
		login  time.Duration
		change Change
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
				r.network <- c.change
				time.Sleep(400 * time.Millisecond)
				if r.loginCount() != c.logins || r.isUp() != (c.change != Change{Up: true}) {
					t.Errorf("up %v after %d logins", r.isUp(), r.loginCount())
				}
			})
		})
	}
}

// On a network whose neighbours change all the time, a target that needs six seconds for a login
// completes one.
func TestParallelDialsAreDelayed(t *testing.T) {
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

// A carrier that is lost for less than a second, again and again, stalls TCP for longer each time.
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

// The kernel's state is read after each change: a lost connection whose event is missing is
// detected immediately, also if the state follows a little later.
func TestStateIsReadAfterEachChange(t *testing.T) {
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

// After the event the kernel shows the session as up until it has cleaned up: that does not end the
// outage.
func TestStateFollowsEventLate(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.set(func(f *fake) { f.dialErr = kernel.TargetClosed })
		r.events <- kernel.Event{SID: 1, Stops: r.Stops(), Err: kernel.TargetClosed}
		r.events <- kernel.Event{Err: kernel.ErrEventsLost} // has the state read
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

// The length of an outage includes the time that the target had not answered before a ping timed
// out.
func TestOutageBeginsAtLastAnswer(t *testing.T) {
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

// A stall begins when the last command ended.
func TestStallBeginsAtLastProgress(t *testing.T) {
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

// One connection is dialled beside a login for each change of the network, not more.
func TestOneParallelDial(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.set(func(f *fake) { f.loginTime = time.Minute })
		r.breakConnection()
		time.Sleep(2 * time.Second)
		r.set(func(f *fake) { f.hole = true })
		for changes := range 3 {
			before := r.dialCount()
			r.network <- Change{Up: true, Downtime: time.Second}
			for range 100 {
				time.Sleep(20 * time.Millisecond)
				r.network <- Change{} // has the agent look what is due
			}
			if n := r.dialCount() - before; n != 1 || r.loginCount() != 1 {
				t.Errorf("change %d: %d dials beside login %d", changes, n, r.loginCount())
			}
		}
	})
}
