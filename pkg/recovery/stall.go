package recovery

import (
	"errors"
	"time"
)

// TCP sends again after 0.2 s, 0.4 s, 0.8 s and so on (RFC 6298 5.5): after a
// network that was away for a while a connection that is whole for the kernel
// does not move for as long again, where a new one goes through at once.

// suspicion is that a session's commands do not come through.
type suspicion struct {
	until time.Duration
	seen  bool // last counts
	last  progress
}

// progress is how far a session was.
type progress struct {
	done uint64        // as of Session.Progress
	at   time.Duration // when that was
}

const (
	awayLong     = time.Second            // what was away for less did no harm
	stallTime    = 100 * time.Millisecond // without any progress
	stallLook    = 50 * time.Millisecond
	suspectLeast = 2 * time.Second // for how long it is looked at, see Up.Away
	suspectMost  = time.Minute
)

// errStalled is the cause of an outage that only the agent has noticed.
var errStalled = errors.New("nothing comes through it after the network was away")

// suspicion follows one, and returns after how long to look again.
func (a *Agent) suspicion(w *watched) time.Duration {
	s, now := w.suspect, a.now()
	if s == nil {
		return surveyEvery
	}
	waiting, done, err := w.Progress()
	switch {
	case err != nil || now >= s.until || a.owner.pending():
		w.suspect = nil
		return surveyEvery
	case waiting == 0 || !s.seen || done != s.last.done:
		s.seen, s.last = true, progress{done, now}
	case now-s.last.at >= stallTime:
		a.stalled(w, done)
	}
	return stallLook
}

// stalled begins the outage of a connection by which nothing comes through.
func (a *Agent) stalled(w *watched, done uint64) {
	a.broken(w, errStalled)
	w.down.stalled, w.down.forced, w.down.doneThen = true, true, done
}

// lost notes how far the sessions are when a carrier goes.
func (a *Agent) lost() {
	for _, w := range a.watched {
		if w.down != nil || w.ended {
			continue
		}
		_, done, err := w.Progress()
		if err == nil && (w.lost == nil || w.lost.done != done) { // of several that go the first counts
			w.lost = &progress{done, a.now()}
		}
	}
}

// suspect begins to doubt a session when something came back that was away. If
// commands wait and none has ended since a carrier went, the case is clear.
func (a *Agent) suspect(w *watched, away time.Duration) {
	now, lost := a.now(), w.lost
	w.lost = nil
	if lost != nil && now-lost.at >= awayLong && !a.owner.pending() {
		if waiting, done, err := w.Progress(); err == nil && waiting > 0 && done == lost.done {
			a.stalled(w, done)
			return
		}
	}
	w.suspect = &suspicion{until: now + min(max(away, suspectLeast), suspectMost)}
}
