package recovery

import (
	"errors"
	"time"
)

// TCP sends again after 0.2 s, 0.4 s, 0.8 s and so on (RFC 6298 5.5): after a
// network that was away for a while a connection that is whole for the kernel
// does not move for as long again, where a new one goes through at once.

// stallCheck is that a session's commands do not come through.
type stallCheck struct {
	until   time.Duration
	hasLast bool // last counts
	last    progress
	since   time.Duration // what the target answered last is no older
}

// progress is how far a session was.
type progress struct {
	done uint64        // as of Session.Progress
	at   time.Duration // when that was
}

const (
	minDowntime     = time.Second            // what was away for less did no harm
	stallTime       = 100 * time.Millisecond // without any progress
	stallCheckEvery = 50 * time.Millisecond  // between looks: two within stallTime
	minStallCheck   = 2 * time.Second        // for how long it is looked at, see Up.Away
	maxStallCheck   = time.Minute            // more than the NOP-Out timers need to find it by themselves
)

// errStalled is the cause of an outage that only the agent has noticed.
var errStalled = errors.New("no data received since the network outage")

// checkStall follows one, and returns after how long to look again.
func (a *Agent) checkStall(w *sessionState) time.Duration {
	s, now := w.stallCheck, a.now()
	if s == nil {
		return SurveyEvery
	}
	waiting, done, err := w.Progress()
	switch {
	case err != nil || now >= s.until || a.foreign(w):
		w.stallCheck = nil
		return SurveyEvery
	case waiting == 0 || s.hasLast && done != s.last.done:
		s.since = now
		fallthrough
	case !s.hasLast:
		s.hasLast, s.last = true, progress{done, now}
	case now-s.last.at >= stallTime:
		a.stalled(w, progress{done, s.since})
	}
	return stallCheckEvery
}

// stalled begins the outage of a connection by which nothing has come through
// since then. What the kernel has stays as it is until a new connection comes
// about; if it moves before that the session goes on.
func (a *Agent) stalled(w *sessionState, then progress) {
	a.beginOutage(w, errStalled)
	w.down.needsLogin = true
	w.down.began = max(min(w.down.began, then.at), w.upSince)
	w.down.stillWorks = func() bool {
		if up, err := w.Up(); err != nil || !up {
			return false
		}
		waiting, done, err := w.Progress()
		return err == nil && (waiting == 0 || done != then.done)
	}
}

// noteCarrierLost notes how far the sessions are when a carrier goes.
func (a *Agent) noteCarrierLost() {
	for _, w := range a.sessions {
		if w.down != nil || w.ended {
			continue
		}
		_, done, err := w.Progress()
		if err == nil && (w.carrierLost == nil || w.carrierLost.done != done) { // of several that go the first counts
			w.carrierLost = &progress{done, a.now()}
		}
	}
}

// networkReturned takes in, for a session that is up, that something came back that was
// away. What went several times in a row has been away since the first time, if
// no command has ended meanwhile: TCP's pause doubles each time all the same.
func (a *Agent) networkReturned(w *sessionState, away time.Duration) {
	if away >= minDowntime {
		a.beginStallCheck(w, away)
		return
	}
	if w.carrierLost == nil {
		return
	}
	waiting, done, err := w.Progress()
	switch {
	case err != nil || waiting == 0 || done != w.carrierLost.done:
		w.carrierLost = nil
	case a.now()-w.carrierLost.at >= minDowntime:
		a.beginStallCheck(w, a.now()-w.carrierLost.at)
	}
}

// beginStallCheck begins to doubt a session when something came back that was away. If
// commands wait and none has ended since a carrier went, the case is clear.
func (a *Agent) beginStallCheck(w *sessionState, away time.Duration) {
	now, lost := a.now(), w.carrierLost
	w.carrierLost = nil
	if lost != nil && now-lost.at >= minDowntime && !a.foreign(w) {
		if waiting, done, err := w.Progress(); err == nil && waiting > 0 && done == lost.done {
			a.stalled(w, *lost)
			return
		}
	}
	w.stallCheck = &stallCheck{until: now + min(max(away, minStallCheck), maxStallCheck), since: now - away}
}
