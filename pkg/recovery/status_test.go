package recovery

import (
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
)

// An outage does not begin before the one that another program's login has ended.
func TestOutagesOfIscsidDoNotOverlap(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.listen(99)
		r.set(func(f *fake) { f.silence = 45 * time.Second })
		time.Sleep(59 * time.Second)
		for range 2 {
			r.set(func(f *fake) { f.up = false })
			r.events <- kernel.Event{SID: 1, Stops: r.Stops(), Err: kernel.PingTimedOut}
			time.Sleep(time.Second)
			r.set(func(f *fake) { f.up = true })
			r.events <- loginResponse()
			time.Sleep(10 * time.Second)
		}
		if !r.sawLog("up again after 46.0 s: iscsid logged in", "up again after 11.0 s: iscsid logged in") {
			t.Error("the messages have other lengths")
		}
	})
}

// The address keeper and the boot count from when the agent detected an outage, not from the
// target's last answer: since then a login was tried.
func TestTriedTimeOfOutage(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.set(func(f *fake) { f.silence, f.hole = 45*time.Second, true })
		time.Sleep(50 * time.Second)
		r.set(func(f *fake) { f.up = false })
		r.events <- kernel.Event{SID: 1, Stops: r.Stops(), Err: kernel.PingTimedOut}
		time.Sleep(10 * time.Second)
		time.Sleep(time.Hour)
		if s := r.state(); s.Down < 55*time.Second || s.Tried > s.Down-45*time.Second {
			t.Errorf("down for %v, tried for %v", s.Down, s.Tried)
		}
	})
	guardInTime(t, func(t *testing.T, r *guardRig) {
		r.set(func(f *fake) { f.silence, f.hole = 4*time.Second, true })
		time.Sleep(50 * time.Second)
		r.set(func(f *fake) { f.up = false })
		r.events <- kernel.Event{SID: 1, Stops: r.Stops(), Err: kernel.PingTimedOut}
		began := time.Now()
		if err := r.guard.waitDown(t.Context(), 1, time.Second); err != nil || time.Since(began) != time.Second {
			t.Errorf("a second of outage took %v, %v", time.Since(began), err)
		}
	})
}
