package recovery

import (
	"errors"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
)

// Connections that break soon after their login, many in a row, have two kinds
// of causes. A sick network or target: then the next login is as good as any,
// and is made at once. Or another machine with our initiator name and ISID, whose
// login ends our session, as ours ends its own (RFC 7143 6.3.5): then both would
// go on for ever, and write to one disk. That one is there needs evidence: that
// the target sends the session away each time (RFC 7143 11.9.1), or a test, see
// Session.Duplicate.
const (
	maxShortLived  = 5                      // so many in a row
	shortLived     = 10 * time.Second       // each no longer
	shortSpan      = 2 * time.Minute        // all within
	testEvery      = 2 * time.Minute        // a test costs the wait for it
	minTestWait    = 300 * time.Millisecond // a test is one and a half of the other's usual times,
	maxTestWait    = 5 * time.Second        // within these: I/O stands still meanwhile
	duplicatePause = time.Minute            // how long another machine is left in peace
)

// storm counts connections that did not last. Times are on a monotonic clock.
type storm struct {
	loggedIn      time.Duration   // by us
	firstTry      bool            // at the first try: no target that is being restarted lets that happen
	ends          []time.Duration // of short lives that began so, in a row
	totalLife     time.Duration   // by these together
	endedByTarget int             // short lives in a row that the target ended by a message
	consecutive   int             // short lives in a row
	tested        time.Duration   // when the last test was due; 0: there was none
}

// verdict is what a connection's end says.
type verdict struct {
	duplicate bool          // another machine uses our name
	test      time.Duration // whether one does is to be tested, with that wait; 0: not
}

// login notes that a login succeeded, and whether at the first try.
func (s *storm) login(now time.Duration, first bool) { s.loggedIn, s.firstTry = now, first }

// connectionEnded notes that the connection ended.
func (s *storm) connectionEnded(now time.Duration, cause error) verdict {
	life := now - s.loggedIn
	if life > shortLived {
		s.reset()
		s.consecutive = 0
		return verdict{}
	}
	s.consecutive++
	if s.endedByTarget++; !endedByTarget(cause) {
		s.endedByTarget = 0
	}
	if s.endedByTarget == maxShortLived {
		s.reset()
		return verdict{duplicate: true}
	}
	if !s.firstTry || !maybeByTarget(cause) {
		s.ends, s.totalLife = nil, 0
		return verdict{}
	}
	if len(s.ends) > 0 && now-s.ends[0] > shortSpan {
		s.ends, s.totalLife = nil, 0
	}
	s.ends, s.totalLife = append(s.ends, now), s.totalLife+life
	if len(s.ends) < maxShortLived {
		return verdict{}
	}
	mean := s.totalLife / time.Duration(len(s.ends))
	s.ends, s.totalLife = nil, 0
	if s.tested != 0 && now-s.tested < testEvery {
		return verdict{}
	}
	s.tested = now
	return verdict{test: min(max(mean*3/2, minTestWait), maxTestWait)}
}

// reset begins the counts of evidence anew.
func (s *storm) reset() { s.ends, s.totalLife, s.endedByTarget = nil, 0, 0 }

// maybeByTarget tells whether the other side may have ended the connection.
func maybeByTarget(cause error) bool {
	var why kernel.ConnError
	return errors.As(cause, &why) && why != kernel.PingTimedOut || endedByTarget(cause) || errors.Is(cause, errFoundDown)
}

// endedByTarget tells whether the target sent the session away.
func endedByTarget(cause error) bool {
	var async asyncError
	if !errors.As(cause, &async) {
		return false
	}
	switch iscsi.AsyncEvent(async) {
	case iscsi.AsyncLogoutRequest, iscsi.AsyncDropConnection, iscsi.AsyncDropSession:
		return true
	}
	return false
}

// shortLivedPause is how long to wait before the login after so many short-lived
// connections in a row, where a disk gives each command six tries only
// (drivers/scsi/sd.h: SD_MAX_RETRIES) and each break costs one: the sixth break
// after it was issued comes a minute later at the least.
func shortLivedPause(row int) time.Duration {
	const first, most = 4 * time.Second, 32 * time.Second
	if row == 0 {
		return 0
	}
	return min(first<<min(row-1, 8), most)
}

// checkShortLived draws the conclusions from a connection's end.
func (a *Agent) checkShortLived(w *sessionState, cause error) {
	v := w.storm.connectionEnded(a.now(), cause)
	if a.foreign(w) {
		return
	}
	if v.duplicate {
		a.pauseForDuplicate(w)
		return
	}
	if w.takenFrom == nil { // else its owner, which may act again, has the same name
		w.down.testWait = v.test
	}
	row := w.storm.consecutive
	if a.cfg.FewRetries == nil || shortLivedPause(row) == 0 || !a.cfg.FewRetries(w.ID()) {
		return
	}
	if row > 1 { // it was said
		w.down.holdOff(a.now() + shortLivedPause(row))
		return
	}
	a.pauseFor(w, shortLivedPause(row), a.cfg.Log.Warnf, "lost soon after its login, and its disks allow each command six tries only: waiting")
}

// pauseForDuplicate leaves the target to another machine for a while.
func (a *Agent) pauseForDuplicate(w *sessionState) {
	a.pauseFor(w, duplicatePause, a.cfg.Log.Errorf, "the target ended %d sessions in a row soon after login: another machine uses the same initiator name: "+
		"give each its own, or both write to one disk: waiting", maxShortLived)
}
