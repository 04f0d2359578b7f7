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

// sessionState is a session with what the agent knows of it.
type sessionState struct {
	Session
	down          *outage       // nil: commands flow
	stallCheck    *stallCheck   // that they do not
	carrierLost   *progress     // when a carrier went that is not back; nil: none
	storm         storm         // connections that did not last
	activity      ownerActivity // of the program that is to log it in
	takenFrom     owners        // that it was taken from; nil: it was not
	move          move          // to an address that stays
	viaUnknown    bool          // another program may have made its connection
	unseenSources int           // logins in a row from an address that the machine does not have
	inspectFrom   time.Duration
	inspections   int            // how many of askAfter are done since askFrom
	upSince       time.Duration  // when a login ended an outage
	outages       int            // that ended
	longest       time.Duration  // of them
	ended         bool           // the session is no more
	tasks         sync.WaitGroup // attempts under way

	dialCtx     context.Context // of the dials that are no outage's; nil: there were none
	cancelDials func()          // ends these
}

// end ends all that is under way.
func (w *sessionState) end() {
	if w.down != nil {
		w.down.end()
	}
	if w.cancelDials != nil {
		w.cancelDials()
	}
}

// outage is the time from a broken connection to the next login.
type outage struct {
	began              time.Duration // when the target answered last, as far as is known
	noticed            time.Duration
	retriedSince       time.Duration // since when this agent has tried to end it
	endEventAt         time.Duration // when the kernel told of an end last
	cause              error
	source             netip.Addr    // of the connection that was lost
	lastErr            error         // of the last attempt
	dialAt             time.Duration // when the next attempt begins
	notBefore          time.Duration // when the first may: see peace
	pause              time.Duration // a length that was logged, whose end will be; 0: none
	reportAt           time.Duration // when the log is written next
	reported           time.Duration // length at the last report
	dials              int           // connections being opened
	moreDials          bool          // one more may be
	running            attempt       // what runs beside them: a login, a logout or a test
	logins             int           // that were begun
	testWait           time.Duration // a test for another machine with our name is due, with that wait; 0: none
	needsLogin         bool          // it takes a login, whatever the kernel shows of the session
	stillWorks         func() bool   // tells that it goes on by itself; nil: the kernel knows that it does not
	resumed            bool          // an earlier agent was at it
	planned            bool          // the connection was given up for a better one
	needsAdministrator bool          // the target's administrator must do something
	refusals           int           // logins in a row that were slow
	parallelDialAt     time.Duration // when a connection is opened beside the login; 0: not
	parallelDials      int           // that were
	nextConn           io.Closer     // the connection to log in by when the login under way has ended
	loginWatch         *loginWatch   // of the login under way
	wasBound           bool          // its owner left a connection bound when the session was taken
	endEvent           *kernel.Event // the end of a connection, maybe of the one that is logged in now

	ctx    context.Context // of the dials; nil: there is none
	cancel func()          // ends the dials
	stop   func()          // ends what runs beside them
}

// newOutage is one that was noticed at a time.
func newOutage(now time.Duration, cause error) *outage {
	return &outage{
		began: now, noticed: now, retriedSince: now, endEventAt: never, cause: cause, dialAt: now, reportAt: now, reported: -1,
		cancel: func() {}, stop: func() {},
	}
}

// end ends all that is under way.
func (o *outage) end() {
	o.cancel()
	o.stop()
	o.closeNextConn()
}

func (o *outage) closeNextConn() {
	if o.nextConn != nil {
		_ = o.nextConn.Close()
		o.nextConn = nil
	}
}

// holdOff lets no attempt begin before a time.
func (o *outage) holdOff(until time.Duration) {
	o.notBefore = max(o.notBefore, until)
	o.dialAt = max(o.dialAt, o.notBefore)
}

// beginOutage begins an outage.
func (a *Agent) beginOutage(w *sessionState, cause error) {
	if w.down != nil {
		return
	}
	now := a.now()
	silence := w.Silence(cause)
	w.Broken(cause)
	w.setOutage(newOutage(now, cause))
	w.down.began = max(now-silence, w.upSince)
	if w.takenFrom != nil && errors.Is(cause, errFoundDown) && !w.takenFrom.notReading(a.cfg.Unread) {
		a.returnSession(w, "its connection was given up by another program")
	}
	a.checkShortLived(w, cause)
	a.changed()
}

// setOutage makes an outage the session's.
func (w *sessionState) setOutage(o *outage) {
	w.stallCheck, w.carrierLost = nil, nil
	w.activity = ownerActivity{probing: w.activity.probing}
	w.down = o
	o.source = w.Via().Source
}

// attemptFailed notes why an attempt came to nothing.
func (a *Agent) attemptFailed(w *sessionState, r result) {
	o := w.down
	if !errors.Is(r.err, context.Canceled) {
		o.lastErr = r.err
	}
	if r.kind == dialing {
		return // the next dial has its time already
	}
	o.running = noAttempt
	if a.yieldIfIntruded(w, r.err) {
		return
	}
	if o.planned {
		a.moveFailed(w)
	}
	o.needsAdministrator = a.cfg.NeedsAdministrator != nil && a.cfg.NeedsAdministrator(r.err)
	if !o.needsAdministrator {
		o.refusals = 0
		a.useNextConn(w)
		return
	}
	o.closeNextConn()
	o.dialAt = a.now() + refusalPause(o.refusals)
	if o.refusals++; o.refusals == 1 {
		o.reportAt = a.now() // a person should know
	}
}

// refusalPause is the pause after so many refusals before the last one.
func refusalPause(refused int) time.Duration {
	return min(minRefusalPause<<min(refused, 8), maxRefusalPause)
}

// recovered ends an outage. ours: by a login of ours.
func (a *Agent) recovered(w *sessionState, ours bool) {
	o := w.down
	length := a.now() - o.began
	o.end()
	w.down = nil
	w.outages++
	w.longest = max(w.longest, length)
	if o.stillWorks == nil {
		w.upSince = a.now()
	}
	seconds, via := length.Seconds(), w.Via().Source
	log := a.cfg.Log.Warnf
	switch {
	case ours && o.planned && via.IsValid():
		a.logf(w, log, "moved from %s to %s", o.source, via)
	case ours && via != o.source && via.IsValid() && o.source.IsValid():
		a.logf(w, log, "logged in again after %.1f s, from %s", seconds, via)
	case ours, o.resumed && !a.foreign(w): // maybe by the earlier agent
		a.logf(w, log, "logged in again after %.1f s", seconds)
	case o.stillWorks != nil:
		a.logf(w, log, "recovered without a login after %.1f s", seconds)
		a.sourceReturned(w, o)
	case a.foreign(w):
		a.logf(w, log, "up again after %.1f s: iscsid logged in", seconds)
	default:
		a.logf(w, log, "up again after %.1f s", seconds)
	}
	w.scheduleInspections(a.now())
	a.changed()
}

// sessionEnded forgets a session that was ended by another program.
func (a *Agent) sessionEnded(w *sessionState) {
	if w.ended {
		return
	}
	w.ended = true
	w.end()
	w.down = nil
	a.logf(w, a.cfg.Log.Warnf, "was ended")
	a.changed()
}
