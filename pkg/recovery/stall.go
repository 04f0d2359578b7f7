package recovery

import (
	"errors"
	"time"
)

// TCP retransmits after 0.2 s, 0.4 s, 0.8 s and so on (RFC 6298 5.5): after a network outage a
// connection that the kernel shows as up transfers nothing for as long again, while a new one is
// established immediately.

// stallCheck checks for a while whether a session's commands complete.
type stallCheck struct {
	until   time.Duration
	hasLast bool // last is valid
	last    progress
	since   time.Duration // not before the target's last answer
}

// progress is the state of a session's commands at a time.
type progress struct {
	done uint64        // as of Session.Progress
	at   time.Duration // when that was
}

const (
	minDowntime     = time.Second            // a shorter outage needs no check
	stallTime       = 100 * time.Millisecond // without any progress
	stallCheckEvery = 50 * time.Millisecond  // between checks: two within stallTime
	minStallCheck   = 2 * time.Second        // the shortest check, see Change.Downtime
	maxStallCheck   = time.Minute            // more than the NOP-Out timers need to detect it themselves
)

// errStalled is the cause of an outage that the agent has detected and the kernel has not.
var errStalled = errors.New("no data received since the network outage")

// checkStall does a step of it, and returns when to call it again.
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

// stalled begins the outage of a connection that has transferred nothing since then. The kernel
// keeps it until a new one is established; if it transfers data before that, the session continues.
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

// noteCarrierLost records the progress of the sessions when a carrier is lost.
func (a *Agent) noteCarrierLost() {
	for _, w := range a.sessions {
		if w.down != nil || w.ended {
			continue
		}
		_, done, err := w.Progress()
		if err == nil && (w.carrierLost == nil || w.carrierLost.done != done) { // the first of several is kept
			w.carrierLost = &progress{done, a.now()}
		}
	}
}

// networkReturned handles, for a session that is up, that the network returned. If no command has
// completed between several outages, the downtime is counted from the first: TCP's pause doubles
// each time nevertheless.
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

// beginStallCheck starts a check after the network returned. If commands wait and none has
// completed since the carrier was lost, the connection is stalled.
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
