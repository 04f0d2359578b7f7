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

// sessionState is a session with its state in the agent.
type sessionState struct {
	Session
	down          *outage       // nil: the session is up
	stallCheck    *stallCheck   // whether commands complete; nil: none runs
	carrierLost   *progress     // when a carrier was lost that is not up again; nil: none
	storm         storm         // connections that ended soon after login
	activity      ownerActivity // of the program that is to log it in
	takenFrom     owners        // from which the session was taken; nil: it was not
	move          move          // to an address that is not temporary
	viaUnknown    bool          // another program may have made its connection
	unseenSources int           // successive logins from an address that Config.Local does not find
	inspectFrom   time.Duration
	inspections   int            // how many of askAfter are done since askFrom
	upSince       time.Duration  // when a login ended an outage
	outages       int            // that ended
	longest       time.Duration  // of them
	ended         bool           // the session was removed
	tasks         sync.WaitGroup // running attempts

	dialCtx     context.Context // of the dials that do not belong to an outage; nil: there were none
	cancelDials func()          // cancels these
}

// end cancels all running attempts.
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
	retriedSince       time.Duration // since when this agent has tried to log in
	endEventAt         time.Duration // when the kernel last reported the end of a connection
	cause              error
	source             netip.Addr    // of the connection that was lost
	lastErr            error         // of the last attempt
	dialAt             time.Duration // when the next attempt begins
	notBefore          time.Duration // before that none begins: see holdOff
	pause              time.Duration // a length that was logged, whose end is logged too; 0: none
	reportAt           time.Duration // when the log is written next
	reported           time.Duration // length at the last report
	dials              int           // connections being opened
	moreDials          bool          // the next dial may exceed maxDials
	running            attempt       // the running attempt that is not a dial: a login, a logout or a test
	logins             int           // that were started
	testWait           time.Duration // a test for a duplicate initiator name is due, with that wait; 0: none
	needsLogin         bool          // only a login ends the outage, whatever state the kernel shows
	stillWorks         func() bool   // reports whether the old connection works again; nil: the kernel has ended it
	resumed            bool          // the outage began under an earlier agent
	planned            bool          // the agent replaces the connection by a better one
	needsAdministrator bool          // the target's administrator must do something
	refusals           int           // successive logins that needed the administrator
	parallelDialAt     time.Duration // when a connection is dialled beside the login; 0: not
	parallelDials      int           // that were begun beside logins
	nextConn           io.Closer     // the connection to log in over when the running login has ended
	loginWatch         *loginWatch   // of the running login
	wasBound           bool          // a connection was bound when the session was taken
	endEvent           *kernel.Event // the last end of a connection, perhaps of the one that is logged in now

	ctx    context.Context // of the dials; nil: there is none
	cancel func()          // ends the dials
	stop   func()          // cancels the running attempt that is not a dial
}

// newOutage returns an outage that was noticed at now.
func newOutage(now time.Duration, cause error) *outage {
	return &outage{
		began: now, noticed: now, retriedSince: now, endEventAt: never, cause: cause, dialAt: now, reportAt: now, reported: -1,
		cancel: func() {}, stop: func() {},
	}
}

// end cancels all running attempts.
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

// holdOff delays attempts until a time.
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
	silence := w.SilentFor(cause)
	w.ConnectionLost(cause)
	w.setOutage(newOutage(now, cause))
	w.down.began = max(now-silence, w.upSince)
	if w.takenFrom != nil && errors.Is(cause, errFoundDown) && !w.takenFrom.notReading(a.cfg.Unread) {
		a.returnSession(w, "its connection was given up by another program")
	}
	a.checkShortLived(w, cause)
	a.changed()
}

// setOutage sets the session's outage.
func (w *sessionState) setOutage(o *outage) {
	w.stallCheck, w.carrierLost = nil, nil
	w.activity = ownerActivity{probing: w.activity.probing}
	w.down = o
	o.source = w.Via().Source
}

// attemptFailed handles the error of an attempt.
func (a *Agent) attemptFailed(w *sessionState, r result) {
	o := w.down
	if !errors.Is(r.err, context.Canceled) {
		o.lastErr = r.err
	}
	if r.kind == dialing {
		return // the next dial is scheduled already
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
		o.reportAt = a.now() // report a refusal immediately
	}
}

// refusalPause is the pause after a refusal; refused is the number of refusals before it.
func refusalPause(refused int) time.Duration {
	return min(minRefusalPause<<min(refused, 8), maxRefusalPause)
}

// recovered ends an outage. ours: by a login of the agent.
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

// sessionEnded stops the recovery of a session that another program removed.
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
