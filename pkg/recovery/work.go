package recovery

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/session"
)

const (
	// ownerEvery is how often the listeners are read during an outage and while there is
	// another owner.
	ownerEvery = 500 * time.Millisecond
	// settleTime is for how long the kernel may show a session as up after it reported the end
	// of its connection: a work queue cleans up (drivers/scsi/scsi_transport_iscsi.c:
	// iscsi_conn_error_event).
	settleTime = time.Second
)

// inspectAfter is when a session's state is read from the kernel after a change: the event of a
// connection that was lost just then may be missing, or look like one of the connection before, and
// the state follows it late.
var inspectAfter = [...]time.Duration{0, 100 * time.Millisecond, time.Second}

// errFoundDown is the cause of an outage whose event was not received.
var errFoundDown = errors.New("found down")

// scheduleInspections makes the session's state be read now and at the times of inspectAfter.
func (w *sessionState) scheduleInspections(now time.Duration) { w.inspections, w.inspectFrom = 0, now }

// inspectAll reads the state of all sessions from the kernel.
func (a *Agent) inspectAll() {
	for _, w := range a.sessions {
		a.inspect(w)
	}
}

// inspect reads the state of a session from the kernel.
func (a *Agent) inspect(w *sessionState) {
	up, err := w.Up()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		a.sessionEnded(w)
	case err != nil:
		a.cfg.Log.Warnf("session %d: %v", w.ID(), err)
	case w.ended:
	case !up && w.down == nil:
		a.beginOutage(w, errFoundDown)
	case up && w.down == nil:
		a.updateVia(w)
		a.checkSource(w)
	case up && w.down.running == noAttempt && (!w.down.needsLogin || a.foreign(w)) && a.now()-w.down.endEventAt >= settleTime:
		a.recovered(w, false)
	}
}

// work does what is due and returns when to call it again.
func (a *Agent) work() time.Duration {
	next := SurveyEvery
	if a.owner.pending() || slices.ContainsFunc(a.sessions, func(w *sessionState) bool { return w.down != nil }) {
		a.checkOwner()
		next = ownerEvery
	}
	for _, w := range a.sessions {
		next = min(next, a.workOn(w))
	}
	return max(next, time.Millisecond)
}

// workOn does what is due for one session and returns when to call it again.
func (a *Agent) workOn(w *sessionState) time.Duration {
	next := a.inspectIfDue(w)
	if w.down == nil && !w.ended {
		next = min(next, a.checkStall(w))
	}
	if w.down == nil && !w.ended {
		next = min(next, a.leaveTemporary(w))
	}
	if w.down != nil {
		next = min(next, a.followOwner(w), a.checkLogin(w), a.parallelDial(w))
		a.redial(w)
	}
	if w.down == nil {
		return min(next, a.nextInspection(w))
	}
	a.report(w)
	next = min(next, a.nextInspection(w), w.down.reportAt-a.now())
	if w.down.running == noAttempt {
		next = min(next, w.down.dialAt-a.now())
	}
	return next
}

// inspectIfDue reads a session's state from the kernel if that is due, and returns when it is due
// next.
func (a *Agent) inspectIfDue(w *sessionState) time.Duration {
	for w.inspections < len(inspectAfter) && a.now() >= w.inspectFrom+inspectAfter[w.inspections] {
		w.inspections++
		a.inspect(w)
	}
	return a.nextInspection(w)
}

func (a *Agent) nextInspection(w *sessionState) time.Duration {
	if w.inspections == len(inspectAfter) {
		return SurveyEvery
	}
	return w.inspectFrom + inspectAfter[w.inspections] - a.now()
}

// redial begins an attempt if one is due. A session of another program is inspected instead.
func (a *Agent) redial(w *sessionState) {
	o, now := w.down, a.now()
	if o.running != noAttempt || now < o.dialAt {
		return
	}
	o.dialAt = now + redialPause(now-o.noticed, rand.Float64())
	switch {
	case a.foreign(w):
		o.pause = 0 // it ends without a login of the agent
		a.inspect(w)
		return
	case o.stillWorks != nil && o.stillWorks():
		a.recovered(w, false)
		return
	}
	a.logPauseEnd(w)
	if o.testWait > 0 {
		a.startDuplicateTest(w)
		return
	}
	limit := maxDials
	if o.moreDials { // the running dials may all have lost their packets
		limit, o.moreDials = 2*maxDials, false
	}
	if o.dials < limit {
		a.dial(w, 0)
	}
}

// ways lists how a connection of a session may leave the machine; none: as the session chooses.
func (a *Agent) ways(w *sessionState) []session.Way {
	if nic := w.NIC(); nic != "" {
		return a.waysBy(nic)
	}
	if a.cfg.Ways == nil {
		return nil
	}
	return a.cfg.Ways()
}

// waysBy is ways for a session with a NIC.
func (a *Agent) waysBy(nic string) []session.Way {
	if a.cfg.Device == nil {
		return nil
	}
	if device := a.cfg.Device(nic); device != "" {
		return []session.Way{{Device: device}}
	}
	return nil
}
