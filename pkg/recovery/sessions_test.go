package recovery

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// With several sessions an event, and the result of each attempt, is applied to its session alone.
func TestSecondSessionAlone(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		others := []*fake{{sid: 2, up: true}, {sid: 3, up: true}}
		for _, f := range others {
			if err := r.agent.Add(f); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(20 * time.Second)
		second := others[0]
		for name, fails := range map[string]func(*fake){
			"dial":  func(f *fake) { f.dialErr, f.loginErr = errors.New("no route"), nil },
			"login": func(f *fake) { f.dialErr, f.loginErr = nil, errors.New("no answer") },
		} {
			second.set(fails)
			second.set(func(f *fake) { f.up = false })
			r.events <- kernel.Event{SID: 2, Stops: second.Stops(), Err: kernel.TargetClosed}
			time.Sleep(20 * time.Second)
			if s := r.all(); s[1].Up || s[1].Cause == "" || s[1].LastErr == "" || !s[0].Up || !s[2].Up {
				t.Errorf("%s fails: %+v", name, s)
			}
			second.set(func(f *fake) { f.dialErr, f.loginErr, f.logins = nil, nil, 0 })
			time.Sleep(2 * time.Second)
			if up, _ := second.Up(); !up || second.logins != 1 {
				t.Errorf("%s: up %v after %d logins", name, up, second.logins)
			}
		}
		for i, want := range []int{0, 2, 0} {
			if s := r.all()[i]; !s.Up || s.Outages != want || s.SID != uint32(i+1) {
				t.Errorf("session %d: %+v, want %d outages", i+1, s, want)
			}
		}
		if r.dialCount() != 0 || len(others[1].dials) != 0 {
			t.Errorf("%d and %d dials of sessions that are up", r.dialCount(), len(others[1].dials))
		}
	})
}

// slowDials is a session whose dials take half a minute, also if they are cancelled.
type slowDials struct {
	*fake
	begun atomic.Int32
}

func (s *slowDials) Dial(context.Context, ...session.Way) (io.Closer, error) {
	s.begun.Add(1)
	time.Sleep(30 * time.Second)
	return nil, errors.New("no route")
}

// The number of connections being opened for one session has a limit, which is twice as high for
// the first dial after a change of the network. It is the same in each outage, while dials of the
// outage before end.
func TestDialsAreLimited(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		s := &slowDials{fake: &fake{sid: 2, up: true}}
		if err := r.agent.Add(s); err != nil {
			t.Fatal(err)
		}
		for outage := range 3 {
			s.begun.Store(0)
			s.set(func(f *fake) { f.up = false })
			r.events <- kernel.Event{SID: 2, Stops: s.Stops(), Err: kernel.TargetClosed}
			time.Sleep(29 * time.Second)
			if n := s.begun.Load(); n != maxDials {
				t.Errorf("outage %d: %d dials at once", outage, n)
			}
			for range 40 {
				r.network <- Change{Up: true}
				time.Sleep(10 * time.Millisecond)
			}
			if n := s.begun.Load(); n != 2*maxDials {
				t.Errorf("outage %d: %d dials at once while the network changes", outage, n)
			}
			s.set(func(f *fake) { f.up = true })
			r.events <- kernel.Event{Err: kernel.ErrEventsLost} // has the state read
			synctest.Wait()
			if state := r.all()[1]; !state.Up || state.Outages != outage+1 {
				t.Errorf("outage %d: %+v", outage, state)
			}
		}
	})
}
