package recovery

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"sync"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
)

// watched is a session with what the agent knows of it.
type watched struct {
	Session
	down    *outage    // nil: commands flow
	suspect *suspicion // that they do not
	lost    *progress  // when a carrier went that is not back; nil: none
	storm   storm      // connections that did not last
	deeds   deeds      // of the program that is to log it in
	taken   owners     // that it was taken from; nil: it was not
	move    move       // to an address that stays
	strange bool       // another program may have made its connection
	astray  int        // logins in a row from an address that the machine does not have
	askFrom time.Duration
	asked   int            // how many of askAfter are done since askFrom
	upSince time.Duration  // when a login ended an outage
	outages int            // that ended
	longest time.Duration  // of them
	ended   bool           // the session is no more
	tasks   sync.WaitGroup // attempts under way

	beside context.Context // of the dials that are no outage's; nil: there were none
	leave  func()          // ends these
}

// end ends all that is under way.
func (w *watched) end() {
	if w.down != nil {
		w.down.end()
	}
	if w.leave != nil {
		w.leave()
	}
}

// outage is the time from a broken connection to the next login.
type outage struct {
	began     time.Duration // when the target answered last, as far as is known
	noticed   time.Duration
	tried     time.Duration // since when this agent has tried to end it
	told      time.Duration // when the kernel told of an end last
	cause     error
	source    netip.Addr    // of the connection that was lost
	lastErr   error         // of the last attempt
	dialAt    time.Duration // when the next attempt begins
	notBefore time.Duration // when the first may: see peace
	pause     time.Duration // a length that was logged, whose end will be; 0: none
	reportAt  time.Duration // when the log is written next
	reported  time.Duration // length at the last report
	dials     int           // connections being opened
	hurried   bool          // one more may be
	doing     attempt       // what runs beside them: a login, a logout or a test
	logins    int           // that were begun
	test      time.Duration // a test for another machine with our name is due, with that wait; 0: none
	forced    bool          // it takes a login, whatever the kernel shows of the session
	whole     func() bool   // tells that it goes on by itself; nil: the kernel knows that it does not
	resumed   bool          // an earlier agent was at it
	planned   bool          // the connection was given up for a better one
	slow      bool          // the target's administrator must do something
	refused   int           // logins in a row that were slow
	rivalAt   time.Duration // when a connection is opened beside the login; 0: not
	rivals    int           // that were
	next      io.Closer     // the connection to log in by when the login under way has ended
	turn      *turn         // of the login under way
	bound     bool          // its owner left a connection bound when the session was taken
	lostAgain *kernel.Event // the end of a connection, maybe of the one that is logged in now

	ctx    context.Context // of the dials; nil: there is none
	cancel func()          // ends the dials
	stop   func()          // ends what runs beside them
}

// newOutage is one that was noticed at a time.
func newOutage(now time.Duration, cause error) *outage {
	return &outage{
		began: now, noticed: now, tried: now, told: never, cause: cause, dialAt: now, reportAt: now, reported: -1,
		cancel: func() {}, stop: func() {},
	}
}

// end ends all that is under way.
func (o *outage) end() {
	o.cancel()
	o.stop()
	o.closeNext()
}

func (o *outage) closeNext() {
	if o.next != nil {
		_ = o.next.Close()
		o.next = nil
	}
}

// peace lets no attempt begin before a time.
func (o *outage) peace(until time.Duration) {
	o.notBefore = max(o.notBefore, until)
	o.dialAt = max(o.dialAt, o.notBefore)
}

// broken begins an outage.
func (a *Agent) broken(w *watched, cause error) {
	if w.down != nil {
		return
	}
	now := a.now()
	silence := w.Silence(cause)
	w.Broken(cause)
	w.begin(newOutage(now, cause))
	w.down.began = max(now-silence, w.upSince)
	if w.taken != nil && errors.Is(cause, errFound) && !w.taken.asleep(a.cfg.Unread) {
		a.standBack(w, "its connection was given up by another program")
	}
	a.judge(w, cause)
	a.changed()
}

// begin makes an outage the session's.
func (w *watched) begin(o *outage) {
	w.suspect, w.lost = nil, nil
	w.deeds = deeds{probing: w.deeds.probing}
	w.down = o
	o.source = w.Via().Source
}

// failed notes why an attempt came to nothing.
func (a *Agent) failed(w *watched, r result) {
	o := w.down
	if !errors.Is(r.err, context.Canceled) {
		o.lastErr = r.err
	}
	if r.what == dialing {
		return // the next dial has its time already
	}
	o.doing = nothing
	if a.brokenInto(w, r.err) {
		return
	}
	if o.planned {
		a.moveFailed(w)
	}
	o.slow = a.cfg.Slow != nil && a.cfg.Slow(r.err)
	if !o.slow {
		o.refused = 0
		a.useNext(w)
		return
	}
	o.closeNext()
	o.dialAt = a.now() + slowPause(o.refused)
	if o.refused++; o.refused == 1 {
		o.reportAt = a.now() // a person should know
	}
}

// slowPause is the pause after so many refusals before the last one.
func slowPause(refused int) time.Duration { return min(slowFirst<<min(refused, 8), slowMost) }

// recovered ends an outage. ours: by a login of ours.
func (a *Agent) recovered(w *watched, ours bool) {
	o := w.down
	length := a.now() - o.began
	o.end()
	w.down = nil
	w.outages++
	w.longest = max(w.longest, length)
	if o.whole == nil {
		w.upSince = a.now()
	}
	seconds, via := length.Seconds(), w.Via().Source
	log := a.cfg.Log.Warnf
	switch {
	case ours && o.planned && via.IsValid():
		a.say(w, log, "moved from %s to %s", o.source, via)
	case ours && via != o.source && via.IsValid() && o.source.IsValid():
		a.say(w, log, "logged in again after %.1f s, from %s", seconds, via)
	case ours, o.resumed && !a.foreign(w): // maybe by the earlier agent
		a.say(w, log, "logged in again after %.1f s", seconds)
	case o.whole != nil:
		a.say(w, log, "recovered without a login after %.1f s", seconds)
		a.afterSource(w, o)
	case a.foreign(w):
		a.say(w, log, "up again after %.1f s: iscsid logged in", seconds)
	default:
		a.say(w, log, "up again after %.1f s", seconds)
	}
	w.ask(a.now())
	a.changed()
}

// gone forgets a session that was ended by another program.
func (a *Agent) gone(w *watched) {
	if w.ended {
		return
	}
	w.ended = true
	w.end()
	w.down = nil
	a.say(w, a.cfg.Log.Warnf, "was ended")
	a.changed()
}
