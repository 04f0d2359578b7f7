package recovery

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// A pause continues in the agent that continues the outage, and its end is logged.
func TestPauseContinuesInNextAgent(t *testing.T) {
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

// The end of a pause is not logged if iscsid is to log the session in at that time, nor later, when
// the next login has nothing to do with it. The end of iscsid makes a dial due.
func TestPauseEndsWhileIscsidRuns(t *testing.T) {
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

// neverTested is a session whose test for a duplicate initiator name does not end by itself.
type neverTested struct{ *fake }

func (s neverTested) Duplicate(ctx context.Context, _ []session.Way, _ time.Duration) (bool, error) {
	<-ctx.Done()
	return false, ctx.Err()
}

// A test for a duplicate initiator name holds the login up for 20 s beyond its two waits, no
// longer.
func TestDuplicateTestLimit(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		s := neverTested{&fake{sid: 2, up: true}}
		if err := r.agent.Add(s); err != nil {
			t.Fatal(err)
		}
		if err := r.agent.call(func() {
			w := r.agent.find(s)
			s.set(func(f *fake) { f.up = false })
			r.agent.beginOutage(w, kernel.TargetClosed)
			w.down.testWait = 3 * time.Second
		}); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		for s.fake.loginsSoFar() == 0 {
			time.Sleep(10 * time.Millisecond)
		}
		if d := time.Since(began); d < 26*time.Second || d > 26100*time.Millisecond {
			t.Errorf("logged in after %v", d)
		}
	})
}
