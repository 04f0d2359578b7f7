package recovery

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
)

func TestIscsidIsLeftAlone(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		listen := func(ids ...uint32) { r.mu.Lock(); r.listeners = ids; r.mu.Unlock() }
		listen(99)
		r.breakIt() // before anybody knows whether 99 stays
		time.Sleep(time.Minute)
		if r.loginCount() != 0 || r.dialCount() != 0 {
			t.Fatalf("%d dials although iscsid runs", r.dialCount())
		}
		if !r.has("iscsid looks after the sessions now", "iscsid runs and looks after it") {
			t.Error("the log does not say so")
		}
		r.set(func(f *fake) { f.up = true }) // its work
		time.Sleep(time.Second)
		if !r.state().Up || !r.state().Passive {
			t.Errorf("status %+v", r.state())
		}
		r.breakIt()
		time.Sleep(time.Second)
		listen() // killed
		time.Sleep(2 * time.Second)
		if r.loginCount() != 0 {
			t.Error("took over at once")
		}
		time.Sleep(3 * time.Second)
		if r.loginCount() != 1 || !r.isUp() || !r.has("iscsid is gone") {
			t.Errorf("up %v after %d logins", r.isUp(), r.loginCount())
		}
	})
}

// An error while looking for iscsid says nothing about it: the
// sessions stay whose they were.
func TestListenersCannotBeRead(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.mu.Lock()
		r.listeners = []uint32{99}
		r.mu.Unlock()
		r.breakIt()
		time.Sleep(time.Minute)
		r.mu.Lock()
		r.blind = errors.New("open /proc/net/netlink: too many open files")
		r.mu.Unlock()
		time.Sleep(time.Minute)
		if r.dialCount() != 0 || !r.state().Passive {
			t.Errorf("%d dials against iscsid", r.dialCount())
		}
		r.mu.Lock()
		told := strings.Count(strings.Join(r.log, "\n"), "too many open files")
		r.blind, r.listeners = nil, nil
		r.mu.Unlock()
		if told != 1 {
			t.Errorf("an error that stays was logged %d times", told)
		}
		time.Sleep(10 * time.Second)
		if !r.isUp() {
			t.Error("did not take over from an iscsid that is gone")
		}
		r.mu.Lock()
		r.blind = errors.New("again")
		r.mu.Unlock()
		r.breakIt()
		time.Sleep(time.Second)
		if !r.isUp() {
			t.Error("gave its own session up")
		}
	})
}

// Somebody's login response says who the owner is, before he is seen to listen.
func TestLoginOfSomebodyElse(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		pdu := &iscsi.PDU{}
		pdu.BHS[0] = byte(iscsi.OpLoginResponse)
		r.events <- kernel.Event{SID: 1, PDU: pdu}
		r.breakIt()
		time.Sleep(2 * time.Second)
		if r.dialCount() != 0 {
			t.Error("dialled into somebody else's login")
		}
		time.Sleep(3 * time.Second)
		if !r.isUp() {
			t.Error("still down although nobody is there")
		}
	})
}

func TestTwinIsGivenPeace(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		time.Sleep(time.Minute)
		for range 6 {
			r.breakIt()
			time.Sleep(2 * time.Second)
		}
		if !r.has("another machine uses the same initiator name") {
			t.Error("not recognised")
		}
		logins := r.loginCount()
		time.Sleep(50 * time.Second)
		if r.loginCount() != logins {
			t.Error("not left in peace")
		}
		time.Sleep(10 * time.Second)
		if !r.isUp() {
			t.Error("did not come back")
		}
	})
}

func TestEndedSession(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.set(func(f *fake) { f.gone, f.up = true, false })
		time.Sleep(time.Minute)
		r.events <- kernel.Event{SID: 1, Stops: r.Stops(), Err: kernel.TargetClosed}
		r.events <- kernel.Event{SID: 5, Err: kernel.TargetClosed}
		time.Sleep(time.Minute)
		if r.dialCount() != 0 || !r.has("was ended") || !r.state().Ended {
			t.Errorf("%d dials for a session that is no more", r.dialCount())
		}
	})
}
