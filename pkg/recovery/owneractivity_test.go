package recovery

import (
	"errors"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
)

// listen lets other programs listen to the kernel's events.
func (r *rig) listen(ids ...uint32) { r.mu.Lock(); defer r.mu.Unlock(); r.listeners = ids }

// loginResponse is an event of another program's login.
func loginResponse() kernel.Event {
	pdu := &iscsi.PDU{}
	pdu.BHS[0] = byte(iscsi.OpLoginResponse)
	return kernel.Event{SID: 1, PDU: pdu}
}

// logins waits for the agent's next login and returns after how long it began.
func (r *rig) nextLogin(limit time.Duration) time.Duration {
	began, n := time.Now(), r.loginCount()
	for r.loginCount() == n && time.Since(began) < limit {
		time.Sleep(10 * time.Millisecond)
	}
	return time.Since(began)
}

// iscsid runs and does something 20 s after the connection was lost, or nothing: the agent logs in
// after 30 s without activity.
func TestTakeOverAfterInactivity(t *testing.T) {
	refused := errors.New("connection refused")
	for name, c := range map[string]struct {
		do          func(r *rig)
		least, most float64 // seconds until our login
	}{
		"nothing": {func(*rig) {}, 30, 34},
		"binds": {func(r *rig) {
			r.set(func(f *fake) { f.bound = true })
			time.Sleep(2 * time.Second)
			r.set(func(f *fake) { f.bound = false })
		}, 50, 54},
		"binds and wedges":   {func(r *rig) { r.set(func(f *fake) { f.bound = true }) }, 80, 84},
		"is refused a login": {func(r *rig) { r.events <- loginResponse() }, 50, 54},
		"the portal is away": {func(r *rig) {
			r.set(func(f *fake) { f.dialErr = refused })
			time.Sleep(2 * time.Second)
			r.set(func(f *fake) { f.dialErr = nil })
		}, 52, 56},
		"a black hole": {func(r *rig) {
			r.set(func(f *fake) { f.hole = true })
			time.Sleep(2 * time.Second)
			r.set(func(f *fake) { f.hole = false })
		}, 55, 59},
		"logs in": {func(r *rig) {
			r.set(func(f *fake) { f.up = true })
			r.events <- loginResponse()
		}, 600, 601},
		"is killed":    {func(r *rig) { r.listen() }, 23, 25},
		"is restarted": {func(r *rig) { r.listen(100) }, 50, 54},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(t *testing.T, r *rig) {
				r.listen(99)
				time.Sleep(15 * time.Second)
				r.breakConnection()
				began := time.Now()
				time.Sleep(20 * time.Second)
				c.do(r)
				r.nextLogin(10*time.Minute - time.Since(began))
				if got := time.Since(began).Seconds(); got < c.least || got > c.most {
					t.Errorf("logged in after %.1f s", got)
				}
				time.Sleep(time.Second)
				taken := name != "logs in" && name != "is killed"
				if s := r.state(); !s.Up || s.Passive != (name == "logs in") {
					t.Errorf("status %+v", s)
				}
				if taken != r.sawLog("iscsid is to log in again", "iscsid runs but has not logged session 1 in for 30 s: logging in", "logged in again after") {
					t.Errorf("taken %v, which does not match the log", taken)
				}
				if name == "logs in" && (!r.sawLog("up again after 20.0 s: iscsid logged in") || r.sawLog("ed in again") || r.sawLog("logging in again")) {
					t.Error("the message about the login is missing")
				}
			})
		})
	}
}

// taken runs a test with a session that was taken from iscsid.
func taken(t *testing.T, test func(t *testing.T, r *rig)) {
	t.Helper()
	inTime(t, func(t *testing.T, r *rig) {
		r.listen(99)
		time.Sleep(15 * time.Second)
		r.breakConnection()
		r.nextLogin(time.Minute)
		time.Sleep(5 * time.Second)
		if s := r.state(); !s.Up || s.Passive {
			t.Fatalf("status %+v", s)
		}
		test(t, r)
	})
}

// The agent continues to recover a session that was taken: after the next loss of its connection it
// logs in immediately.
func TestTakenSessionIsRecoveredByAgent(t *testing.T) {
	taken(t, func(t *testing.T, r *rig) {
		r.breakConnection()
		if d := r.nextLogin(time.Minute); d > 100*time.Millisecond {
			t.Errorf("logged in after %v", d)
		}
		time.Sleep(time.Second)
		r.events <- async(iscsi.AsyncLogoutRequest, 0)
		time.Sleep(time.Second)
		if r.logoutCount() != 1 {
			t.Error("the target's request was not carried out")
		}
	})
}

// The agent returns the session when iscsid acts, and the 30 s begin again.
func TestTakenSessionIsReturned(t *testing.T) {
	for name, c := range map[string]struct {
		act         func(r *rig)
		least, most float64 // seconds until our next login after a break
	}{
		"logs in": {func(r *rig) { r.events <- loginResponse() }, 30, 34},
		"stops the connection": {func(r *rig) {
			r.set(func(f *fake) { f.up = false })
			r.events <- kernel.Event{Err: kernel.ErrEventsLost} // has the state read
		}, 30, 34},
		"starts":          {func(r *rig) { r.listen(99, 100); time.Sleep(time.Minute) }, 30, 34},
		"starts anew":     {func(r *rig) { r.listen(100); time.Sleep(time.Minute) }, 30, 34},
		"iscsiadm passes": {func(r *rig) { r.listen(99, 100); time.Sleep(time.Second); r.listen(99) }, 0, 0.6},
		"iscsiadm stays for a moment": {func(r *rig) {
			r.listen(99, 100)
			r.breakConnection()
			time.Sleep(time.Second)
			if r.loginCount() != 1 {
				r.write("error: a login while another program runs")
			}
			r.listen(99)
		}, 0, 0.6},
		"is killed":          {func(r *rig) { r.listen(); time.Sleep(10 * time.Second) }, 0, 0.1},
		"is killed just now": {func(r *rig) { r.listen() }, 0, 0.1},
	} {
		t.Run(name, func(t *testing.T) {
			taken(t, func(t *testing.T, r *rig) {
				c.act(r)
				if r.isUp() {
					r.breakConnection()
				}
				got := r.nextLogin(10 * time.Minute).Seconds()
				if got < c.least || got > c.most || r.sawLog("error: a login") {
					t.Errorf("logged in after %.1f s", got)
				}
			})
		})
	}
}

// iscsid continues during the agent's login: it is not disturbed, and owns the session again.
func TestIscsidContinuesDuringAgentLogin(t *testing.T) {
	for name, act := range map[string]func(r *rig){
		"stops ours, binds another": func(r *rig) {
			time.Sleep(100 * time.Millisecond)
			r.set(func(f *fake) { f.bound = false })
			time.Sleep(100 * time.Millisecond)
			r.set(func(f *fake) { f.bound = true })
		},
		"listens anew": func(r *rig) { r.listen(99, 100); r.set(func(f *fake) { f.loginTime = 1 }) },
	} {
		t.Run(name, func(t *testing.T) {
			taken(t, func(t *testing.T, r *rig) {
				r.set(func(f *fake) { f.loginTime, f.loginErr = time.Second, errors.New("command numbers do not fit") })
				r.breakConnection()
				r.nextLogin(time.Second)
				act(r)
				stops, logins := r.Stops(), r.loginCount()
				time.Sleep(3 * time.Second)
				r.events <- loginResponse()
				r.set(func(f *fake) { f.bound, f.up = false, true })
				time.Sleep(10 * time.Minute)
				if r.Stops() != stops || r.loginCount() != logins {
					t.Errorf("%d stops and %d logins against iscsid", r.Stops()-stops, r.loginCount()-logins)
				}
				if s := r.state(); !s.Up || !s.Passive || !r.sawLog("logging in", "another program logs it in: standing by", "iscsid logged in") {
					t.Errorf("status %+v", s)
				}
			})
		})
	}
}

// iscsid binds a connection for a second now and then, while each connect of the agent takes three
// seconds: that is detected nevertheless.
func TestActivityBetweenProbes(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.listen(99)
		r.set(func(f *fake) { f.dialTime = 3 * time.Second })
		time.Sleep(15 * time.Second)
		r.breakConnection()
		for range 20 {
			time.Sleep(time.Second)
			r.set(func(f *fake) { f.bound = true })
			time.Sleep(time.Second)
			r.set(func(f *fake) { f.bound = false })
			time.Sleep(10 * time.Second)
		}
		if n := r.loginCount(); n > 0 || r.sawLog("has not logged") {
			t.Errorf("%d logins while iscsid binds connections", n)
		}
	})
}

// A probe that gets no answer does not delay the removal of the session.
func TestRemoveCancelsProbe(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.listen(99)
		r.set(func(f *fake) { f.hole = true })
		time.Sleep(15 * time.Second)
		r.breakConnection()
		time.Sleep(1100 * time.Millisecond)
		began := time.Now()
		if err := r.agent.Remove(r.fake); err != nil || r.dialCount() != 1 || time.Since(began) > 0 {
			t.Errorf("%v, after %v and %d dials", err, time.Since(began), r.dialCount())
		}
	})
}

// A session that was taken from an iscsid that is still stopped, and is found down, was not stopped
// by that.
func TestTakenFromStoppedIscsid(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.listen(99)
		time.Sleep(15 * time.Second)
		r.mu.Lock()
		r.unread = 500
		r.mu.Unlock()
		r.breakConnection()
		r.nextLogin(time.Minute)
		time.Sleep(5 * time.Second)
		for _, stopped := range []bool{true, false} {
			r.set(func(f *fake) { f.up = false })
			r.events <- kernel.Event{Err: kernel.ErrEventsLost}
			if d := r.nextLogin(time.Minute); (d < 100*time.Millisecond) != stopped {
				t.Errorf("logged in after %v", d)
			}
			time.Sleep(20 * time.Second)
			r.mu.Lock()
			r.unread = 0
			r.mu.Unlock()
		}
	})
}
