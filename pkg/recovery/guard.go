package recovery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/clock"
	"github.com/iscsiroot/iscsiroot/pkg/contain"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// Guard runs an Agent inside of PID 1: it recovers the sessions from their first START until the
// agent's process takes them over. Its methods may be called from any goroutine.
//
// Lock order: mu is the innermost lock. Nothing is called with it held.
type Guard struct {
	events <-chan kernel.Event
	log    Logger
	notify func([]Status)
	cancel context.CancelFunc
	ended  chan struct{} // closed when the loop has ended; Stop ends it

	mu       sync.Mutex // guards the rest
	agent    *Agent
	sessions []Session
	states   []Status
	statesAt time.Time     // when all was noted
	changed  chan struct{} // closed at the next change of all
}

// StartGuard starts a Guard without sessions. past is the state of sessions that are added later;
// nil: none. The Guard reads transport's events, and calls changed after each change of a session's
// state.
func StartGuard(transport *kernel.Transport, log Logger, past []Status, changed func([]Status)) *Guard {
	return startGuard(transport.Watch(), log, past, changed)
}

func startGuard(events <-chan kernel.Event, log Logger, past []Status, changed func([]Status)) *Guard {
	ctx, cancel := context.WithCancel(context.Background())
	g := &Guard{events: events, log: log, notify: changed, cancel: cancel, ended: make(chan struct{}), changed: make(chan struct{}), statesAt: time.Now()}
	g.agent = g.newAgent(nil, past)
	contain.Go("session recovery", func() { // until Stop calls cancel
		defer close(g.ended)
		g.run(ctx)
	}, func(err error) { log.Errorf("%v", err) })
	return g
}

// newAgent makes an Agent. No other program that would recover the sessions runs in an initramfs.
func (g *Guard) newAgent(sessions []Session, past []Status) *Agent {
	return New(Config{
		Sessions: sessions, Events: g.events, Log: g.log, NeedsAdministrator: session.NeedsAdministrator, Changed: g.setStatus, Past: past,
		Listeners: func() ([]uint32, error) { return nil, nil },
	})
}

// run runs Agents until ctx ends. One that panics is replaced, as the supervisor replaces a worker,
// after a growing pause.
func (g *Guard) run(ctx context.Context) {
	for wait := RestartFirst; ; wait = min(2*wait, RestartMost) {
		agent := g.current()
		err := contain.Call("session recovery", func() error { agent.Run(ctx); return nil })
		if err == nil || ctx.Err() != nil {
			return
		}
		g.log.Errorf("%v: restarting session recovery", err)
		var bug *contain.PanicError
		if errors.As(err, &bug) {
			g.log.Errorf("%s", bug.Stack)
		}
		if clock.Sleep(ctx, wait) != nil {
			return
		}
		if err := contain.Call("session recovery", func() error { g.replace(); return nil }); err != nil {
			g.log.Errorf("%v", err) // the old one's end is found again, and the pause is longer
		}
	}
}

// replace makes a new Agent from the state of the last one.
func (g *Guard) replace() {
	g.mu.Lock()
	sessions := slices.Clone(g.sessions)
	g.mu.Unlock()
	fresh := g.newAgent(sessions, g.Status())
	g.mu.Lock()
	defer g.mu.Unlock()
	g.agent = fresh
}

// withAgent calls f with the Agent, or with the one that replaces it.
func (g *Guard) withAgent(f func(*Agent) error) error {
	for {
		agent := g.current()
		if err := f(agent); !errors.Is(err, ErrEnded) {
			return err
		}
		for g.current() == agent { // it has panicked, or the Guard has ended
			select {
			case <-g.ended:
				return ErrEnded
			case <-time.After(RestartFirst):
			}
		}
	}
}

func (g *Guard) current() *Agent {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.agent
}

// setStatus stores the sessions' states.
func (g *Guard) setStatus(all []Status) {
	g.notify(all) // first: a path that is lost holds up I/O until it is failed
	g.mu.Lock()
	defer g.mu.Unlock()
	g.states, g.statesAt = all, time.Now()
	close(g.changed)
	g.changed = make(chan struct{})
}

// Add begins to recover a session, which must have been started just now.
func (g *Guard) Add(s *session.Session) error { return g.add(&KernelSession{s}) }

func (g *Guard) add(s Session) error {
	g.mu.Lock()
	g.sessions = append(g.sessions, s)
	g.mu.Unlock()
	return g.withAgent(func(a *Agent) error { return a.Add(s) })
}

// Remove stops recovering a session, and returns when no login of the Guard runs. A session that it
// does not have is no error.
func (g *Guard) Remove(s *session.Session) error { return g.remove(s.SID) }

func (g *Guard) remove(sid uint32) error {
	g.mu.Lock()
	i := slices.IndexFunc(g.sessions, func(s Session) bool { return s.ID() == sid })
	if i < 0 {
		g.mu.Unlock()
		return nil
	}
	one := g.sessions[i]
	g.sessions = slices.Delete(slices.Clone(g.sessions), i, i+1)
	g.mu.Unlock()
	return g.withAgent(func(a *Agent) error { return a.Remove(one) })
}

// Stop ends the Guard and returns the sessions' states, for the agent to continue with. No login
// runs then.
func (g *Guard) Stop() []Status {
	g.cancel()
	<-g.ended
	return g.Status()
}

// Status returns the sessions' states as they are now.
func (g *Guard) Status() []Status {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := slices.Clone(g.states)
	for i := range out {
		if !out[i].Up && !out[i].Ended {
			out[i].Down += time.Since(g.statesAt)
			out[i].Tried += time.Since(g.statesAt)
		}
	}
	return out
}

// Outages returns how many outages a session has had, after every event that the kernel has sent by
// now is handled, and whether the session is up. Equal numbers mean that the session was up from
// the first call to the second.
func (g *Guard) Outages(ctx context.Context, s *session.Session) (n int, up bool, err error) {
	if err := s.Flush(ctx); err != nil {
		return 0, false, err
	}
	return g.outages(s.SID)
}

func (g *Guard) outages(sid uint32) (n int, up bool, err error) {
	if err := g.withAgent((*Agent).Sync); err != nil {
		return 0, false, err
	}
	st, _, err := g.statusOf(sid)
	if err == nil && !st.Up {
		st.Outages++
	}
	return st.Outages, st.Up, err
}

// statusOf returns a session's state and a channel that is closed at the next change of any
// session's.
func (g *Guard) statusOf(sid uint32) (Status, <-chan struct{}, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, st := range g.states {
		if st.SID == sid {
			if !st.Up && !st.Ended {
				st.Down += time.Since(g.statesAt)
				st.Tried += time.Since(g.statesAt)
			}
			return st, g.changed, nil
		}
	}
	return Status{}, g.changed, fmt.Errorf("session %d: is not recovered by the agent", sid)
}

// WaitUp waits until a session is up. A ctx that ends first makes it a *DownError.
func (g *Guard) WaitUp(ctx context.Context, s *session.Session) error { return g.waitUp(ctx, s.SID) }

func (g *Guard) waitUp(ctx context.Context, sid uint32) error {
	for {
		st, changed, err := g.statusOf(sid)
		switch {
		case err != nil:
			return err
		case st.Up:
			return nil
		case st.Ended:
			return fmt.Errorf("session %d to %s: was ended", sid, st.Name)
		}
		select {
		case <-changed:
		case <-g.ended:
			return ErrEnded
		case <-ctx.Done():
			return &DownError{Status: st}
		}
	}
}

// WaitDown waits until a login has been tried for a session that is down for at least that long.
func (g *Guard) WaitDown(ctx context.Context, s *session.Session, least time.Duration) error {
	return g.waitDown(ctx, s.SID, least)
}

func (g *Guard) waitDown(ctx context.Context, sid uint32, least time.Duration) error {
	for {
		st, changed, err := g.statusOf(sid)
		if err != nil {
			return err
		}
		var long <-chan time.Time
		if !st.Up && !st.Ended {
			if st.Tried >= least {
				return nil
			}
			timer := time.NewTimer(least - st.Tried)
			defer timer.Stop()
			long = timer.C
		}
		select {
		case <-long:
		case <-changed:
		case <-g.ended:
			return ErrEnded
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Down lists in words the sessions that are down; empty: none is.
func (g *Guard) Down() string {
	var out []string
	for _, st := range g.Status() {
		if !st.Up && !st.Ended {
			out = append(out, fmt.Sprintf("session %d down for %d s", st.SID, int(st.Down.Seconds())))
		}
	}
	return strings.Join(out, ", ")
}

// DownError reports that a session is down.
type DownError struct{ Status Status }

// Error implements error.
func (e *DownError) Error() string {
	cause := e.Status.Cause
	if e.Status.LastErr != "" {
		cause = e.Status.LastErr
	}
	return fmt.Sprintf("session %d to %s is down: %s", e.Status.SID, e.Status.Name, cause)
}

// Retryable reports that the session is being recovered.
func (e *DownError) Retryable() bool { return true }
