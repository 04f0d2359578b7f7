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
	seen  bool          // done and since count
	done  uint64        // Progress when it last changed
	since time.Duration // when that was
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
	case waiting == 0 || !s.seen || done != s.done:
		s.seen, s.done, s.since = true, done, now
	case now-s.since >= stallTime:
		a.broken(w, errStalled)
		w.down.stalled, w.down.forced, w.down.doneThen = true, true, done
	}
	return stallLook
}
