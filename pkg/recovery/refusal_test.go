package recovery

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

func TestRefusalPause(t *testing.T) {
	var got []time.Duration
	for refused := range 7 {
		got = append(got, refusalPause(refused))
	}
	const s = time.Second
	if want := []time.Duration{5 * s, 10 * s, 20 * s, 40 * s, 60 * s, 60 * s, 60 * s}; !slices.Equal(got, want) {
		t.Errorf("pauses %v, want %v", got, want)
	}
	if got := refusalPause(1000); got != time.Minute {
		t.Errorf("after 1000 refusals: %v", got)
	}
}

// slowLogout is a session whose target does not answer a logout.
type slowLogout struct{ *fake }

func (s slowLogout) Logout(ctx context.Context) (time.Duration, error) {
	<-ctx.Done()
	return 0, ctx.Err()
}

// A logout that the target requested takes as long as the target allowed, between one second and
// five, and ends at once if the session is removed.
func TestLogoutLimit(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		s := slowLogout{&fake{sid: 2, up: true}}
		if err := r.agent.Add(s); err != nil {
			t.Fatal(err)
		}
		for allowed, want := range map[uint16]time.Duration{0: time.Second, 3: 3 * time.Second, 60: 5 * time.Second} {
			time.Sleep(time.Minute)
			e := async(iscsi.AsyncLogoutRequest, 0)
			e.SID, e.PDU = 2, iscsi.AsyncMessage{Event: iscsi.AsyncLogoutRequest, Parameter3: allowed}.PDU()
			before, began := s.fake.loginsSoFar(), time.Now()
			r.events <- e
			for s.fake.loginsSoFar() == before {
				time.Sleep(10 * time.Millisecond)
			}
			if d := time.Since(began); d < want || d > want+50*time.Millisecond {
				t.Errorf("allowed %d s: logged in after %v, want %v", allowed, d, want)
			}
		}
		time.Sleep(time.Minute)
		e := async(iscsi.AsyncLogoutRequest, 0)
		e.SID = 2
		r.events <- e
		synctest.Wait()
		began := time.Now()
		if err := r.agent.Remove(s); err != nil || time.Since(began) != 0 {
			t.Errorf("removed after %v, %v", time.Since(began), err)
		}
	})
}

func (f *fake) loginsSoFar() int { f.mu.Lock(); defer f.mu.Unlock(); return f.logins }

// The connection that was dialled beside a login which has failed is used for the next login; if
// another program is to log the session in by then, it is closed.
func TestNextConnection(t *testing.T) {
	for name, foreign := range map[string]bool{"alone": false, "another program": true} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(t *testing.T, r *rig) {
				time.Sleep(20 * time.Second)
				r.set(func(f *fake) { f.hole = true })
				r.breakConnection()
				time.Sleep(time.Second)
				err := r.agent.call(func() {
					w := r.agent.sessions[0]
					r.agent.useNextConn(w) // there is none
					if w.down.running != noAttempt {
						t.Error("a login without a connection")
					}
					r.set(func(f *fake) { f.open++ })
					w.down.nextConn = fakeConn{r.fake, w.Via()}
					if foreign {
						r.listen(99)
						r.agent.checkOwner()
					}
					r.agent.useNextConn(w)
					if logsIn := w.down.running == loggingIn; logsIn == foreign || w.down.nextConn != nil {
						t.Errorf("logs in %v", logsIn)
					}
				})
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
				if n := r.loginCount(); (n == 0) != foreign {
					t.Errorf("%d logins", n)
				}
			})
		})
	}
}
