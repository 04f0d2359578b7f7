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
	since time.Duration // what the target answered last is no older
}

// progress is how far a session was.
type progress struct {
	done uint64        // as of Session.Progress
	at   time.Duration // when that was
}

const (
	awayLong     = time.Second            // what was away for less did no harm
	stallTime    = 100 * time.Millisecond // without any progress
	stallLook    = 50 * time.Millisecond  // between looks: two within stallTime
	suspectLeast = 2 * time.Second        // for how long it is looked at, see Up.Away
	suspectMost  = time.Minute            // more than the NOP-Out timers need to find it by themselves
)

// errStalled is the cause of an outage that only the agent has noticed.
var errStalled = errors.New("no data received since the network outage")

// suspicion follows one, and returns after how long to look again.
func (a *Agent) suspicion(w *watched) time.Duration {
	s, now := w.suspect, a.now()
	if s == nil {
		return SurveyEvery
	}
	waiting, done, err := w.Progress()
	switch {
	case err != nil || now >= s.until || a.foreign(w):
		w.suspect = nil
		return SurveyEvery
	case waiting == 0 || s.seen && done != s.last.done:
		s.since = now
		fallthrough
	case !s.seen:
		s.seen, s.last = true, progress{done, now}
	case now-s.last.at >= stallTime:
		a.stalled(w, progress{done, s.since})
	}
	return stallLook
}

// stalled begins the outage of a connection by which nothing has come through
// since then. What the kernel has stays as it is until a new connection comes
// about; if it moves before that the session goes on.
func (a *Agent) stalled(w *watched, then progress) {
	a.broken(w, errStalled)
	w.down.forced = true
	w.down.began = max(min(w.down.began, then.at), w.upSince)
	w.down.whole = func() bool {
		if up, err := w.Up(); err != nil || !up {
			return false
		}
		waiting, done, err := w.Progress()
		return err == nil && (waiting == 0 || done != then.done)
	}
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

// back takes in, for a session that is up, that something came back that was
// away. What went several times in a row has been away since the first time, if
// no command has ended meanwhile: TCP's pause doubles each time all the same.
func (a *Agent) back(w *watched, away time.Duration) {
	if away >= awayLong {
		a.suspect(w, away)
		return
	}
	if w.lost == nil {
		return
	}
	waiting, done, err := w.Progress()
	switch {
	case err != nil || waiting == 0 || done != w.lost.done:
		w.lost = nil
	case a.now()-w.lost.at >= awayLong:
		a.suspect(w, a.now()-w.lost.at)
	}
}

// suspect begins to doubt a session when something came back that was away. If
// commands wait and none has ended since a carrier went, the case is clear.
func (a *Agent) suspect(w *watched, away time.Duration) {
	now, lost := a.now(), w.lost
	w.lost = nil
	if lost != nil && now-lost.at >= awayLong && !a.foreign(w) {
		if waiting, done, err := w.Progress(); err == nil && waiting > 0 && done == lost.done {
			a.stalled(w, *lost)
			return
		}
	}
	w.suspect = &suspicion{until: now + min(max(away, suspectLeast), suspectMost), since: now - away}
}
