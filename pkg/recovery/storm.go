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
	shortLives = 5                      // so many in a row
	shortLife  = 10 * time.Second       // each no longer
	shortSpan  = 2 * time.Minute        // all within
	testEvery  = 2 * time.Minute        // a test costs the wait for it
	testLeast  = 300 * time.Millisecond // a test is one and a half of the other's usual times,
	testMost   = 5 * time.Second        // within these: I/O stands still meanwhile
	twinPause  = time.Minute            // how long another machine is left in peace
)

// storm counts connections that did not last. Times are on a monotonic clock.
type storm struct {
	loggedIn time.Duration   // by us
	first    bool            // at the first try: no target that is being restarted lets that happen
	ends     []time.Duration // of short lives that began so, in a row
	lived    time.Duration   // by these together
	sentAway int             // short lives in a row that the target ended by a message
	row      int             // short lives in a row
	tested   time.Duration   // when the last test was due; 0: there was none
}

// verdict is what a connection's end says.
type verdict struct {
	duplicate bool          // another machine uses our name
	test      time.Duration // whether one does is to be tested, with that wait; 0: not
}

// login notes that a login succeeded, and whether at the first try.
func (s *storm) login(now time.Duration, first bool) { s.loggedIn, s.first = now, first }

// ended notes that the connection ended.
func (s *storm) ended(now time.Duration, cause error) verdict {
	life := now - s.loggedIn
	if life > shortLife {
		s.forget()
		s.row = 0
		return verdict{}
	}
	s.row++
	if s.sentAway++; !sentAway(cause) {
		s.sentAway = 0
	}
	if s.sentAway == shortLives {
		s.forget()
		return verdict{duplicate: true}
	}
	if !s.first || !byTarget(cause) {
		s.ends, s.lived = nil, 0
		return verdict{}
	}
	if len(s.ends) > 0 && now-s.ends[0] > shortSpan {
		s.ends, s.lived = nil, 0
	}
	s.ends, s.lived = append(s.ends, now), s.lived+life
	if len(s.ends) < shortLives {
		return verdict{}
	}
	mean := s.lived / time.Duration(len(s.ends))
	s.ends, s.lived = nil, 0
	if s.tested != 0 && now-s.tested < testEvery {
		return verdict{}
	}
	s.tested = now
	return verdict{test: min(max(mean*3/2, testLeast), testMost)}
}

// forget begins the counts of evidence anew.
func (s *storm) forget() { s.ends, s.lived, s.sentAway = nil, 0, 0 }

// byTarget tells whether the other side may have ended the connection.
func byTarget(cause error) bool {
	var why kernel.ConnError
	return errors.As(cause, &why) && why != kernel.PingTimedOut || sentAway(cause) || errors.Is(cause, errFound)
}

// sentAway tells whether the target sent the session away.
func sentAway(cause error) bool {
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

// spacing is how long to wait before the login after so many short-lived
// connections in a row, where a disk gives each command six tries only
// (drivers/scsi/sd.h: SD_MAX_RETRIES) and each break costs one: the sixth break
// after it was issued comes a minute later at the least.
func spacing(row int) time.Duration {
	const first, most = 4 * time.Second, 32 * time.Second
	if row == 0 {
		return 0
	}
	return min(first<<min(row-1, 8), most)
}

// judge draws the conclusions from a connection's end.
func (a *Agent) judge(w *watched, cause error) {
	v := w.storm.ended(a.now(), cause)
	if a.foreign(w) {
		return
	}
	if v.duplicate {
		a.duplicate(w)
		return
	}
	if w.taken == nil { // else its owner, which may act again, has the same name
		w.down.test = v.test
	}
	row := w.storm.row
	if a.cfg.FewRetries == nil || spacing(row) == 0 || !a.cfg.FewRetries(w.ID()) {
		return
	}
	if row > 1 { // it was said
		w.down.peace(a.now() + spacing(row))
		return
	}
	a.leave(w, spacing(row), a.cfg.Log.Warnf, "lost soon after its login, and its disks allow each command six tries only: waiting")
}

// duplicate leaves the target to another machine for a while.
func (a *Agent) duplicate(w *watched) {
	a.leave(w, twinPause, a.cfg.Log.Errorf, "the target ended %d sessions in a row soon after login: another machine uses the same initiator name: "+
		"give each its own, or both write to one disk: waiting", shortLives)
}
