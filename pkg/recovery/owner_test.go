package recovery

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
)

func TestNoLoginWhileIscsidRuns(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		listen := func(ids ...uint32) { r.mu.Lock(); r.listeners = ids; r.mu.Unlock() }
		listen(99)
		r.set(func(f *fake) { f.dialErr = errors.New("connection refused") })
		r.breakConnection() // before it is known whether 99 stays
		time.Sleep(time.Minute)
		if r.loginCount() != 0 {
			t.Fatalf("%d logins although iscsid runs", r.loginCount())
		}
		if !r.sawLog("iscsid is to log in again", "iscsid runs and is to log in again: see its log") {
			t.Error("the message is missing")
		}
		r.set(func(f *fake) { f.up, f.dialErr = true, nil }) // its work
		time.Sleep(time.Second)
		if !r.state().Up || !r.state().Passive {
			t.Errorf("status %+v", r.state())
		}
		r.breakConnection()
		time.Sleep(time.Second)
		listen() // killed
		time.Sleep(2 * time.Second)
		if r.loginCount() != 0 {
			t.Error("took over at once")
		}
		time.Sleep(3 * time.Second)
		if r.loginCount() != 1 || !r.isUp() || !r.sawLog("iscsid has ended") {
			t.Errorf("up %v after %d logins", r.isUp(), r.loginCount())
		}
	})
}

// If the listeners cannot be read, the owner stays as it was.
func TestOwnerStaysIfListenersAreUnreadable(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.mu.Lock()
		r.listeners, r.dialErr = []uint32{99}, errors.New("connection refused")
		r.mu.Unlock()
		r.breakConnection()
		time.Sleep(time.Minute)
		r.mu.Lock()
		r.blind = errors.New("open /proc/net/netlink: too many open files")
		r.mu.Unlock()
		time.Sleep(time.Minute)
		if r.loginCount() != 0 || !r.state().Passive {
			t.Errorf("%d logins against iscsid", r.loginCount())
		}
		times := strings.Count(r.logged(), "too many open files")
		r.mu.Lock()
		r.blind, r.listeners, r.dialErr = nil, nil, nil
		r.mu.Unlock()
		if times != 1 {
			t.Errorf("an error that stays was logged %d times", times)
		}
		time.Sleep(10 * time.Second)
		if !r.isUp() {
			t.Error("no login after the end of iscsid")
		}
		r.mu.Lock()
		r.blind = errors.New("again")
		r.mu.Unlock()
		r.breakConnection()
		time.Sleep(time.Second)
		if !r.isUp() {
			t.Error("gave its own session up")
		}
	})
}

// A login response that the agent did not request makes another program the owner, before that is
// seen to listen.
func TestLoginResponseOfAnotherProgram(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		pdu := &iscsi.PDU{}
		pdu.BHS[0] = byte(iscsi.OpLoginResponse)
		r.events <- kernel.Event{SID: 1, PDU: pdu}
		r.breakConnection()
		time.Sleep(2 * time.Second)
		if r.loginCount() != 0 {
			t.Error("logged in against another program")
		}
		time.Sleep(3 * time.Second)
		if !r.isUp() {
			t.Error("still down although no other program is there")
		}
	})
}

// A session that iscsid logged in is up immediately.
func TestIscsidLoginIsSeenImmediately(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.listen(99)
		time.Sleep(15 * time.Second)
		r.breakConnection()
		time.Sleep(200 * time.Millisecond)
		r.events <- loginResponse()
		r.set(func(f *fake) { f.up = true })
		time.Sleep(110 * time.Millisecond)
		if s := r.state(); !s.Up || !r.sawLog("up again after 0.") {
			t.Errorf("status %+v", s)
		}
	})
}

func TestEndedSessionIsNotRecovered(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.set(func(f *fake) { f.ended, f.up = true, false })
		time.Sleep(time.Minute)
		r.events <- kernel.Event{SID: 1, Stops: r.Stops(), Err: kernel.TargetClosed}
		r.events <- kernel.Event{SID: 5, Err: kernel.TargetClosed}
		time.Sleep(time.Minute)
		if r.dialCount() != 0 || !r.sawLog("was ended") || !r.state().Ended {
			t.Errorf("%d dials for a session that was removed", r.dialCount())
		}
	})
}
