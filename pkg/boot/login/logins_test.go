package login

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/contain"
	"github.com/iscsiroot/iscsiroot/pkg/internal/steptest"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/portal"
	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// refusal is the error of a session that was refused n times.
func refusal(n int) error {
	return &session.LoginError{Target: "iqn.x", Refusals: n, Portals: []session.PortalError{{Portal: "a", Err: &iscsi.StatusError{Class: 2, Detail: 1}}}}
}

// away is the error of a target that is down.
func away() error {
	return &session.LoginError{Target: "iqn.x", Portals: []session.PortalError{{Portal: "a", Err: &portal.ConnectError{Err: errors.New("away")}}}}
}

// fakeLogins makes logins of targets that answer as the functions do, which are called with the
// time since the beginning.
func fakeLogins(log sequence.Logger, targets ...func(time.Duration) error) (l *logins, late func() []int) {
	began := time.Now()
	var mu sync.Mutex
	var came []int
	l = newLogins(context.Background(), log, len(targets), func(_ context.Context, i int) error {
		return targets[i](time.Since(began))
	}, func(_ context.Context, i int) {
		mu.Lock()
		defer mu.Unlock()
		came = append(came, i)
	})
	return l, func() []int {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(came)
	}
}

func always(err error) func(time.Duration) error {
	return func(time.Duration) error { return err }
}

// from is a target that comes up after a while.
func from(d time.Duration) func(time.Duration) error {
	return func(now time.Duration) error {
		if now < d {
			return away()
		}
		return nil
	}
}

// The step does not wait for a target that is down: its login goes on, and its disks are found
// after the step.
func TestLoginsDeadTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &steptest.Recorder{}
		l, late := fakeLogins(log, from(20*time.Second), always(nil), always(refusal(3)))
		began := time.Now()
		if err := l.firstRound(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(began); d > stragglerGrace {
			t.Errorf("it took %v", d)
		}
		changed := l.change()
		if l.up(0) || !l.up(1) || !slices.Contains(l.pending(), 0) {
			t.Errorf("states %v", l.states)
		}
		synctest.Wait()
		<-changed // the third is lost
		for len(l.pending()) > 0 {
			<-l.change()
		}
		if d := time.Since(began); !l.up(0) || l.up(2) || d < 20*time.Second || d > 28*time.Second {
			t.Errorf("states %v after %v", l.states, d)
		}
		if !slices.Equal(late(), []int{0}) {
			t.Errorf("late are %v", late())
		}
		said := strings.Join(log.Lines(), "\n")
		for _, want := range []string{"trying again", "continuing without this target", "hint: correct user and secret"} {
			if !strings.Contains(said, want) {
				t.Errorf("%q is not in the log\n%s", want, said)
			}
		}
		if err := l.end(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A target that does not respond delays the others by stragglerGrace only.
func TestLoginsSlowTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, late := fakeLogins(&steptest.Recorder{}, always(nil), func(time.Duration) error {
			time.Sleep(5 * time.Second)
			return nil
		})
		began := time.Now()
		if err := l.firstRound(t.Context()); err != nil || time.Since(began) != stragglerGrace {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if !l.up(1) || !slices.Equal(late(), []int{1}) {
			t.Errorf("states %v, late %v", l.states, late())
		}
		if err := l.end(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A path that does not respond delays the others to its target by pathGrace only, and other targets
// not at all.
func TestLoginsSlowPath(t *testing.T) {
	slow := func(time.Duration) error {
		time.Sleep(5 * time.Second)
		return nil
	}
	for _, tt := range []struct {
		targets []func(time.Duration) error
		first   []int
		want    time.Duration
	}{
		{[]func(time.Duration) error{slow, always(nil)}, []int{0, 0}, pathGrace},
		{[]func(time.Duration) error{always(nil), slow, slow}, []int{0, 0, 0}, pathGrace},
		{[]func(time.Duration) error{always(nil), slow, slow}, []int{0, 0, 2}, stragglerGrace},
		{[]func(time.Duration) error{always(nil), always(nil)}, []int{0, 0}, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			l, _ := fakeLogins(&steptest.Recorder{}, tt.targets...)
			l.first = func(i int) int { return tt.first[i] }
			began := time.Now()
			if err := l.firstRound(t.Context()); err != nil || time.Since(began) != tt.want {
				t.Errorf("%v: %v after %v", tt.first, err, time.Since(began))
			}
			time.Sleep(5 * time.Second)
			synctest.Wait()
			if err := l.end(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// Without any target the step fails with the errors of all of them, and is retryable if one of them
// is.
func TestLoginsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			targets   []func(time.Duration) error
			retryable bool
			hint      string
			lines     int
		}{
			{[]func(time.Duration) error{always(away())}, true, "", 1},
			{[]func(time.Duration) error{always(refusal(3))}, false, "correct user", 1},
			{[]func(time.Duration) error{always(refusal(3)), always(away())}, true, "correct user", 2},
			{[]func(time.Duration) error{always(refusal(3)), always(refusal(3))}, false, "correct user", 2},
		} {
			l, _ := fakeLogins(&steptest.Recorder{}, tt.targets...)
			err := l.firstRound(t.Context())
			if err == nil || sequence.Retryable(err) != tt.retryable || !strings.HasPrefix(sequence.Hint(err), tt.hint) || strings.Count(err.Error(), "login to iqn.x") != tt.lines {
				t.Errorf("%v retryable %v, hint %q", err, sequence.Retryable(err), sequence.Hint(err))
			}
			var one *session.LoginError
			if !errors.As(err, &one) {
				t.Errorf("%v has no cause", err)
			}
		}
	})
}

// A login that is refused is sent three times, two seconds apart.
func TestLoginsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []time.Duration
		l, _ := fakeLogins(&steptest.Recorder{}, func(now time.Duration) error {
			asked = append(asked, now)
			return refusal(len(asked))
		})
		if err := l.firstRound(t.Context()); err == nil || sequence.Retryable(err) {
			t.Errorf("got %v", err)
		}
		if !slices.Equal(asked, []time.Duration{0, 2 * time.Second, 4 * time.Second}) {
			t.Errorf("asked at %v", asked)
		}
	})
}

// A step that is cancelled leaves nothing behind.
func TestLoginsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		stuck := make(chan struct{})
		l := newLogins(context.Background(), &steptest.Recorder{}, 1, func(ctx context.Context, _ int) error {
			<-ctx.Done()
			close(stuck)
			return ctx.Err()
		}, nil)
		if err := l.firstRound(ctx); err == nil {
			t.Error("succeeded")
		}
		<-stuck
	})
}

// A nil value is one whose targets are all logged in.
func TestNoLogins(t *testing.T) {
	var l *logins
	if !l.up(3) || l.pending() != nil || l.change() != nil || l.end(t.Context()) != nil {
		t.Error("a nil value is not logged in")
	}
}

// A bug in one login is that target's failure, and stops no other.
func TestLoginsPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &steptest.Recorder{}
		l := newLogins(context.Background(), log, 2, func(_ context.Context, i int) error {
			if i == 0 {
				panic("a bug")
			}
			return nil
		}, nil)
		if err := l.firstRound(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if l.state(0) != loginLost || !l.up(1) {
			t.Errorf("states %v", l.states)
		}
		if err := l.end(t.Context()); err != nil {
			t.Error(err)
		}
		one := newLogins(context.Background(), log, 1, func(context.Context, int) error { panic("a bug") }, nil)
		var bug *contain.PanicError
		if err := one.firstRound(t.Context()); !errors.As(err, &bug) {
			t.Errorf("error %v, want a *PanicError", err)
		}
	})
}

// A panic after a late login affects that target only.
func TestLoginsLatePanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogins(context.Background(), &steptest.Recorder{}, 2, func(_ context.Context, i int) error {
			time.Sleep(time.Duration(i) * time.Minute)
			return nil
		}, func(context.Context, int) { panic("a bug") })
		if err := l.firstRound(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		if !l.up(0) || l.state(1) != loginLost {
			t.Errorf("states %v", l.states)
		}
	})
}

// A path that is not used is neither waited for nor lost, also if that is known only when its login
// has failed; its error is not the step's.
func TestLoginsUnused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &steptest.Recorder{}
		unused := &unusedError{"10.0.0.1 is not in the network of ens3"}
		l, late := fakeLogins(log, always(unused), always(nil), func(now time.Duration) error {
			if now < 5*time.Second {
				return away()
			}
			return unused
		})
		began := time.Now()
		if err := l.firstRound(t.Context()); err != nil || time.Since(began) > stragglerGrace {
			t.Fatal(err, time.Since(began))
		}
		if l.states[0] != loginUnused || !slices.Equal(l.waiting(), []int{2}) || l.up(0) || !l.gone(0) || l.gone(1) {
			t.Errorf("states %v", l.states)
		}
		for len(l.pending()) > 0 {
			<-l.change()
		}
		if err := l.end(t.Context()); err != nil || l.states[2] != loginUnused || len(late()) > 0 {
			t.Errorf("states %v, late %v, %v", l.states, late(), err)
		}
		if said := strings.Join(log.Lines(), "\n"); strings.Contains(said, "continuing without") || strings.Contains(said, "hint") {
			t.Errorf("log %s", said)
		}
		l, _ = fakeLogins(log, always(unused), always(refusal(3)))
		if err := l.firstRound(t.Context()); err == nil || strings.Contains(err.Error(), "not used") {
			t.Errorf("error %v", err)
		}
	})
}
