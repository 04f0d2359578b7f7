package recovery

import (
	"errors"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
)

// Many successive connections that end soon after their login have one of two causes. A faulty
// network or target: then the next login is made immediately. Or another machine with the same
// initiator name and ISID: each login reinstates the session and ends the other machine's (RFC 7143
// 6.3.5), both would repeat that without end, and write to one disk. The second cause needs
// evidence: that the target ends each session by an asynchronous message (RFC 7143 11.9.1), or a
// test, see Session.Duplicate.
const (
	maxShortLived  = 5                      // so many successive ones
	shortLived     = 10 * time.Second       // each no longer
	shortSpan      = 2 * time.Minute        // all within
	testEvery      = 2 * time.Minute        // a test costs the wait for it
	minTestWait    = 300 * time.Millisecond // a test waits one and a half times the mean length of the connections,
	maxTestWait    = 5 * time.Second        // within these limits: I/O waits meanwhile
	duplicatePause = time.Minute            // the pause after a duplicate was found
)

// storm counts connections that ended soon after login. Times are on a monotonic clock.
type storm struct {
	loggedIn      time.Duration   // when this agent last logged in
	firstTry      bool            // at the first attempt, which a target that restarts does not allow
	ends          []time.Duration // ends of successive short-lived connections after a first attempt
	totalLife     time.Duration   // the total time of these connections
	endedByTarget int             // successive short-lived connections that the target ended by a message
	consecutive   int             // successive short-lived connections
	tested        time.Duration   // when the last test was requested; 0: there was none
}

// verdict is the conclusion from the end of a connection.
type verdict struct {
	duplicate bool          // another machine uses the same initiator name
	test      time.Duration // a test for that is due, with that wait; 0: no test
}

// login records that a login succeeded, and whether at the first attempt.
func (s *storm) login(now time.Duration, first bool) { s.loggedIn, s.firstTry = now, first }

// connectionEnded records the end of the connection.
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

// reset clears the evidence.
func (s *storm) reset() { s.ends, s.totalLife, s.endedByTarget = nil, 0, 0 }

// maybeByTarget reports whether the target may have ended the connection.
func maybeByTarget(cause error) bool {
	var why kernel.ConnError
	return errors.As(cause, &why) && why != kernel.PingTimedOut || endedByTarget(cause) || errors.Is(cause, errFoundDown)
}

// endedByTarget reports whether the target ended the session by an asynchronous message.
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

// shortLivedPause is how long to wait before the login after so many successive short-lived
// connections, where a disk tries each command six times only (drivers/scsi/sd.h: SD_MAX_RETRIES)
// and each lost connection costs one: the sixth after a command was issued comes at least a minute
// later.
func shortLivedPause(row int) time.Duration {
	const first, most = 4 * time.Second, 32 * time.Second
	if row == 0 {
		return 0
	}
	return min(first<<min(row-1, 8), most)
}

// checkShortLived acts on the end of a short-lived connection.
func (a *Agent) checkShortLived(w *sessionState, cause error) {
	v := w.storm.connectionEnded(a.now(), cause)
	if a.foreign(w) {
		return
	}
	if v.duplicate {
		a.pauseForDuplicate(w)
		return
	}
	if w.takenFrom == nil { // otherwise its owner, which may act again, uses the same name
		w.down.testWait = v.test
	}
	row := w.storm.consecutive
	if a.cfg.FewRetries == nil || shortLivedPause(row) == 0 || !a.cfg.FewRetries(w.ID()) {
		return
	}
	if row > 1 { // it was logged
		w.down.holdOff(a.now() + shortLivedPause(row))
		return
	}
	a.pauseFor(w, shortLivedPause(row), a.cfg.Log.Warnf, "lost soon after its login, and its disks allow each command six tries only: waiting")
}

// pauseForDuplicate pauses since another machine uses the same initiator name.
func (a *Agent) pauseForDuplicate(w *sessionState) {
	a.pauseFor(w, duplicatePause, a.cfg.Log.Errorf, "the target ended %d sessions in a row soon after login: another machine uses the same initiator name: "+
		"give each its own, or both write to one disk: waiting", maxShortLived)
}
