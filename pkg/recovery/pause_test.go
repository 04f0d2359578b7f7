package recovery

import (
	"errors"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// A pause goes on in the agent that goes on with the outage, and its end is said.
func TestPauseOutlivesAnAgent(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.set(func(f *fake) { f.up = false })
		time.Sleep(39 * time.Second)
		if r.loginCount() != 0 {
			t.Error("a login in the pause")
		}
		time.Sleep(2 * time.Second)
		if r.loginCount() != 1 || !r.sawLog("the pause of 40 s is over: logging in again") {
			t.Errorf("%d logins", r.loginCount())
		}
	}, Status{SID: 1, Down: 20 * time.Second, Cause: "target closed the connection", NotBefore: 40 * time.Second})
}

// A pause that is over while the session is another program's to log in is not told of later, when
// the next login has nothing to do with it; and that program's end is a reason to dial.
func TestPauseEndsUnderIscsid(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		time.Sleep(20 * time.Second)
		r.set(func(f *fake) { f.dialErr = errors.New("connection refused") })
		r.events <- async(iscsi.AsyncDropSession, 7)
		r.set(func(f *fake) { f.up = false })
		r.listen(99)
		time.Sleep(20 * time.Minute)
		r.set(func(f *fake) { f.dialErr = nil })
		r.listen()
		if d := r.nextLogin(time.Minute); d > 4*time.Second {
			t.Errorf("logged in %v after iscsid's end", d)
		}
		if r.sawLog("is over") {
			t.Error("a pause of long ago is over")
		}
	})
}
