package recovery

import (
	"errors"
	"slices"
)

// ErrEnded says that Run has returned.
var ErrEnded = errors.New("session recovery has ended")

// call lets the goroutine of Run do f, and returns when it has.
func (a *Agent) call(f func()) error {
	done := make(chan struct{})
	select {
	case a.calls <- func() { defer close(done); f() }:
		<-done
		return nil
	case <-a.ended:
		return ErrEnded
	}
}

// Add makes the agent watch one more session, which must have been started. A
// connection that was lost meanwhile is found. A session that it watches already
// is no error. Any goroutine may call it.
func (a *Agent) Add(s Session) error {
	return a.call(func() {
		if slices.ContainsFunc(a.sessions, func(w *sessionState) bool { return w.Session == s }) {
			return
		}
		w := a.track(s)
		w.scheduleInspections(a.now())
		a.inspect(w)
		a.changed()
	})
}

// Remove makes the agent leave a session alone, and returns when no attempt of
// the agent's is under way any more: it is the caller's then. A session that the
// agent does not watch is no error. Any goroutine may call it.
func (a *Agent) Remove(s Session) error {
	var gone *sessionState
	err := a.call(func() {
		i := slices.IndexFunc(a.sessions, func(w *sessionState) bool { return w.Session == s })
		if i < 0 {
			return
		}
		gone = a.sessions[i]
		a.sessions = slices.Delete(a.sessions, i, i+1)
		gone.end()
		a.changed()
	})
	if gone != nil {
		gone.tasks.Wait() // Run takes the results in, and drops them
	}
	return err
}

// Sync returns when the agent has taken in every event that was in Config.Events
// before the call. Any goroutine may call it.
func (a *Agent) Sync() error {
	return a.call(func() {
		for {
			select {
			case e := <-a.cfg.Events:
				a.event(e)
			default:
				return
			}
		}
	})
}
