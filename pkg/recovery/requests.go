package recovery

import (
	"errors"
	"slices"
)

// ErrEnded reports that Run has returned.
var ErrEnded = errors.New("session recovery has ended")

// call has the goroutine of Run call f, and returns when f has.
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

// Add makes the agent recover one more session, which must have been started. A connection that was
// lost meanwhile is detected. A session that it has already is no error. Any goroutine may call it.
func (a *Agent) Add(s Session) error { return a.add(s, nil) }

// Resume is Add for a session that was removed, or that takes the place of one that was, with the
// state that it had.
func (a *Agent) Resume(s Session, past Status) error { return a.add(s, &past) }

func (a *Agent) add(s Session, past *Status) error {
	return a.call(func() {
		if slices.ContainsFunc(a.sessions, func(w *sessionState) bool { return w.Session == s }) {
			return
		}
		w := a.track(s)
		if past != nil {
			w.down = nil
			a.resume(w, *past)
		}
		w.scheduleInspections(a.now())
		a.inspect(w)
		a.changed()
	})
}

// Remove makes the agent stop recovering a session, and returns when no attempt of the agent runs
// any more: the caller may use it then. A session that the agent does not have is no error. Any
// goroutine may call it.
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
		gone.tasks.Wait() // Run receives the results, and drops them
	}
	return err
}

// Sync returns when the agent has handled every event that was in Config.Events before the call.
// Any goroutine may call it.
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
