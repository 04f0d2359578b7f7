package recovery

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
)

// life is a connection: when its login was, from second 0 on, at which try, how long it lasted and
// why it ended.
type life struct {
	login, lasted float64
	again         bool // the login did not succeed at the first try
	cause         error
}

func TestStormVerdicts(t *testing.T) {
	drop, request := asyncError(iscsi.AsyncDropConnection), asyncError(iscsi.AsyncLogoutRequest)
	every := func(n int, pause float64, l life) []life {
		var out []life
		for i := range n {
			l.login = float64(i) * pause
			out = append(out, l)
		}
		return out
	}
	with := func(lives []life, at int, l life) []life {
		l.login = lives[at].login
		lives[at] = l
		return lives
	}
	tests := []struct {
		name      string
		lives     []life
		duplicate []int // connections whose ends are evidence of it
		test      map[int]time.Duration
	}{
		{"four", every(4, 1, life{lasted: 0.5, cause: kernel.TargetClosed}), nil, nil},
		{"five", every(5, 1, life{lasted: 0.5, cause: kernel.TargetClosed}), nil, map[int]time.Duration{4: 750 * time.Millisecond}},
		{"at once", every(5, 1, life{lasted: 0.001, cause: kernel.TargetClosed}), nil, map[int]time.Duration{4: minTestWait}},
		{"slow ones", every(5, 10, life{lasted: 9, cause: kernel.TargetClosed}), nil, map[int]time.Duration{4: maxTestWait}},
		{"a test in two minutes", every(200, 1, life{lasted: 0.4, cause: kernel.ConnError(1011)}), nil, map[int]time.Duration{4: 600 * time.Millisecond, 124: 600 * time.Millisecond}},
		{"pings that were not answered", every(100, 5, life{lasted: 4, cause: kernel.PingTimedOut}), nil, nil},
		{"one of them", with(every(9, 1, life{lasted: 0.5, cause: kernel.TargetClosed}), 4, life{lasted: 0.5, cause: kernel.PingTimedOut}), nil, nil},
		{"one that lasts", with(every(9, 15, life{lasted: 5, cause: kernel.TargetClosed}), 4, life{lasted: 11, cause: kernel.TargetClosed}), nil, nil},
		{"a target that is restarted", with(every(9, 1, life{lasted: 0.5, cause: kernel.TargetClosed}), 4, life{lasted: 0.5, again: true, cause: kernel.TargetClosed}), nil, nil},
		{"in an hour", every(20, 600, life{lasted: 1, cause: kernel.TargetClosed}), nil, nil},
		{"sent away", every(5, 3, life{lasted: 0.5, cause: drop}), []int{4}, nil},
		{"logout requested by a busy target", every(5, 3, life{lasted: 5, again: true, cause: request}), []int{4}, nil},
		{"sent away four times", with(every(8, 3, life{lasted: 0.5, cause: drop}), 4, life{lasted: 0.5, cause: kernel.TargetClosed}), nil, map[int]time.Duration{4: 750 * time.Millisecond}},
		{"negotiation requested", every(5, 3, life{lasted: 0.5, cause: asyncError(iscsi.AsyncNegotiate)}), nil, nil},
	}
	seconds := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := storm{loggedIn: never}
			if v := s.connectionEnded(0, kernel.TargetClosed); v != (verdict{}) {
				t.Errorf("a connection from before: %+v", v)
			}
			for i, l := range tt.lives {
				s.login(seconds(l.login), !l.again)
				v := s.connectionEnded(seconds(l.login+l.lasted), l.cause)
				if want := (verdict{slices.Contains(tt.duplicate, i), tt.test[i]}); v.duplicate != want.duplicate || (v.test-want.test).Abs() > time.Microsecond {
					t.Errorf("life %d: %+v, want %+v", i, v, want)
				}
			}
		})
	}
}

// The six tries of a command take at least a minute, after whichever of successive short-lived
// connections it was issued.
func TestShortLivedPauses(t *testing.T) {
	for issued := range 20 { // the row's length when the first try is lost
		var wait time.Duration
		for row := issued; row < issued+5; row++ {
			wait += shortLivedPause(row)
		}
		if wait < time.Minute {
			t.Errorf("issued after %d: %v", issued, wait)
		}
		if shortLivedPause(issued) > 32*time.Second {
			t.Errorf("a pause of %v", shortLivedPause(issued))
		}
	}
}

// A hundred lost connections in a minute are each recovered immediately, where disks retry without
// a limit; one test for a duplicate initiator name is made.
func TestHundredConnectionLosses(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		for range 100 {
			r.breakConnection()
			time.Sleep(600 * time.Millisecond)
		}
		time.Sleep(400 * time.Millisecond)
		if !r.isUp() || r.loginCount() < 97 || len(r.tests()) != 1 {
			t.Errorf("up %v after %d logins, %d tests", r.isUp(), r.loginCount(), len(r.tests()))
		}
		if r.sawLog("is over") || r.sawLog("same initiator name") {
			t.Error("a pause")
		}
		if l := r.state().Longest; l > 1500*time.Millisecond { // the one with the test
			t.Errorf("down for %v", l)
		}
	})
}

// A duplicate initiator name that a test has found is logged once, and no login follows for a
// minute, whatever the network does.
func TestPauseForDuplicateInitiatorName(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.set(func(f *fake) { f.duplicate = true })
		time.Sleep(time.Minute)
		for range 6 { // the first outage is none of a login that was thrown out
			r.breakConnection()
			time.Sleep(2 * time.Second)
		}
		if d := r.tests(); len(d) != 1 || d[0] < 2900*time.Millisecond || d[0] > 3100*time.Millisecond {
			t.Fatalf("tests with a wait of %v", d)
		}
		time.Sleep(2 * time.Second)
		if s := r.state(); s.NotBefore < 58*time.Second || s.Up {
			t.Errorf("status %+v", s)
		}
		r.network <- Change{Up: true, Downtime: time.Minute, AddressesChanged: true}
		time.Sleep(50 * time.Second)
		if r.isUp() {
			t.Error("a login during the pause")
		}
		time.Sleep(10 * time.Second)
		if !r.isUp() || !r.sawLog("connection lost", "error: session 1 to iqn.test:t: the target ended 5 sessions in a row soon after login: another machine uses the same initiator name: "+
			"give each its own, or both write to one disk: waiting for 60 s",
			"info: session 1 to iqn.test:t: the pause of 60 s is over: logging in again", "logged in again after 6") {
			t.Errorf("up %v", r.isUp())
		}
	})
}

// A target that ends the session by a message five times in succession needs no test.
func TestDuplicateByAsyncMessages(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		time.Sleep(time.Minute)
		for range 6 {
			r.events <- async(iscsi.AsyncDropConnection, 0)
			time.Sleep(2 * time.Second)
		}
		if r.isUp() == r.state().Up || len(r.tests()) > 0 || !r.sawLog("another machine uses the same initiator name") {
			t.Errorf("status %+v, %d tests", r.state(), len(r.tests()))
		}
		time.Sleep(time.Minute)
		if !r.state().Up {
			t.Error("did not come back")
		}
	})
}

// Without evidence of a duplicate initiator name the login begins immediately after the test.
func TestNoDuplicateInitiatorName(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		time.Sleep(time.Minute)
		for range 6 {
			r.breakConnection()
			time.Sleep(200 * time.Millisecond)
		}
		if r.isUp() {
			t.Fatal("logged in during the test")
		}
		time.Sleep(minTestWait - 200*time.Millisecond + 20*time.Millisecond)
		if !r.isUp() {
			t.Error("did not log in after the test")
		}
	})
}

// Where a disk retries each command a few times only, there are pauses before the logins.
func TestPausesWithFewRetries(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.mu.Lock()
		r.few = true
		r.mu.Unlock()
		began := time.Now()
		for range 6 { // which are the tries of one command
			r.breakConnection()
			for !r.isUp() {
				time.Sleep(50 * time.Millisecond)
			}
		}
		if took := time.Since(began); took < time.Minute || took > 2*time.Minute {
			t.Errorf("six tries in %v", took)
		}
		log := r.logged()
		if strings.Count(log, "six tries only: waiting for 4 s") != 1 || strings.Count(log, "is over") != 1 ||
			!r.sawLog("lost soon after its login, and its disks allow each command six tries only: waiting for 4 s", "the pause of 4 s is over") {
			t.Error("the pause is not logged once")
		}
		time.Sleep(time.Minute)
		r.breakConnection()
		time.Sleep(50 * time.Millisecond)
		if !r.isUp() {
			t.Error("a longer connection was not recovered immediately")
		}
	})
}

// tests returns the waits of the tests for another machine.
func (r *rig) tests() []time.Duration { r.mu.Lock(); defer r.mu.Unlock(); return r.duplicates }

// A test during which the network was down and is up again proves nothing, and the login does not
// wait for its end; nor does it when the session is taken from an iscsid.
func TestDuplicateTestIsCancelled(t *testing.T) {
	for name, c := range map[string]Change{"a link": {Up: true, Downtime: 500 * time.Millisecond}, "an address": {AddressesChanged: true}} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(t *testing.T, r *rig) {
				time.Sleep(50 * time.Second)
				for range 6 {
					r.breakConnection()
					time.Sleep(3 * time.Second)
				}
				if len(r.tests()) != 1 || r.isUp() {
					t.Fatalf("%d tests, up %v", len(r.tests()), r.isUp())
				}
				r.network <- c
				time.Sleep(50 * time.Millisecond)
				if !r.isUp() {
					t.Error("the login waits for the end of the test")
				}
			})
		})
	}
}

// A session that is taken is logged in without a test: its owner may act again.
func TestNoTestBeforeTakeOver(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		time.Sleep(50 * time.Second)
		for range 5 {
			r.breakConnection()
			time.Sleep(time.Second)
		}
		r.listen(99)
		r.breakConnection()
		r.nextLogin(5 * time.Minute)
		if !r.sawLog("has not logged session 1 in") || len(r.tests()) > 0 {
			t.Errorf("%d tests", len(r.tests()))
		}
	})
}

// A session that was taken is not tested later either.
func TestNoTestOfTakenSession(t *testing.T) {
	taken(t, func(t *testing.T, r *rig) {
		time.Sleep(time.Minute)
		for range 12 {
			r.breakConnection()
			time.Sleep(time.Second)
		}
		if len(r.tests()) > 0 || !r.isUp() {
			t.Errorf("%d tests, up %v", len(r.tests()), r.isUp())
		}
	})
}
