package recovery

import (
	"context"
	"errors"
	"io/fs"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
)

// The length of an outage grows until the session is up or was ended; one that is up or was ended
// has none.
func TestGuardStatusLength(t *testing.T) {
	guardInTime(t, func(t *testing.T, r *guardRig) {
		check := func(when string, down time.Duration) {
			t.Helper()
			synctest.Wait()
			time.Sleep(7 * time.Second)
			if s := r.guard.Status()[0]; s.Down != down || s.Tried != down {
				t.Errorf("%s: down for %v, tried for %v, want %v", when, s.Down, s.Tried, down)
			}
		}
		check("up", 0)
		r.set(func(f *fake) { f.dialErr = errors.New("no route") })
		r.lose()
		check("down", 7*time.Second)
		r.set(func(f *fake) { f.ended = true })
		r.events <- kernel.Event{Err: kernel.ErrEventsLost}
		check("ended", 0)
		if s := r.guard.Status()[0]; !s.Ended || s.Up || r.guard.Down() != "" {
			t.Errorf("%+v, down: %s", s, r.guard.Down())
		}
	})
}

// A wait for an outage of some length ends with its context.
func TestGuardWaitDownEnds(t *testing.T) {
	guardInTime(t, func(t *testing.T, r *guardRig) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := r.guard.waitDown(ctx, 1, time.Second); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a session that is up: %v", err)
		}
		if err := r.guard.waitDown(t.Context(), 2, time.Second); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("an unknown session: %v", err)
		}
	})
}

// A call returns when the loop has run the function, not before, and not at all after the loop's
// end.
func TestCallWaits(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		done := false
		if err := r.agent.call(func() { time.Sleep(time.Second); done = true }); err != nil || !done {
			t.Errorf("done %v, %v", done, err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		a := New(Config{Log: &rig{fake: &fake{}}, Listeners: func() ([]uint32, error) { return nil, nil }})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		a.Run(ctx)
		if err := a.call(func() { t.Error("called after the end") }); !errors.Is(err, ErrEnded) {
			t.Errorf("after the end: %v", err)
		}
	})
}

// An Agent's error is followed by another Agent, without a session that was removed, after a pause
// that doubles up to its limit.
func TestGuardRestarts(t *testing.T) {
	guardInTime(t, func(t *testing.T, r *guardRig) {
		others := []*fake{{sid: 2, up: true}, {sid: 3, up: true}}
		for _, f := range others {
			if err := r.guard.add(f); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.guard.remove(2); err != nil {
			t.Fatal(err)
		}
		const ms = time.Millisecond
		for i, want := range []time.Duration{100 * ms, 200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3200 * ms, 6400 * ms, 10000 * ms, 10000 * ms} {
			old, began := r.guard.current(), time.Now()
			r.set(func(f *fake) { f.stateBug = true })
			r.events <- kernel.Event{Err: kernel.ErrEventsLost} // has the state read, which panics
			for r.guard.current() == old {
				time.Sleep(ms)
			}
			if d := time.Since(began); d < want || d > want+2*ms {
				t.Errorf("restart %d after %v, want %v", i+1, d, want)
			}
			if _, up, err := r.guard.outages(3); !up || err != nil {
				t.Errorf("restart %d: up %v, %v", i+1, up, err)
			}
		}
		if _, _, err := r.guard.outages(2); err == nil {
			t.Error("a session that was removed is recovered again")
		}
	})
}
