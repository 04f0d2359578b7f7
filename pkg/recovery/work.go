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
	// ownerEvery is how often it is looked who else listens while that matters.
	ownerEvery = 500 * time.Millisecond
	// settles is how long the kernel may go on to show a session as up after it
	// told of the end of its connection: a work queue cleans up
	// (drivers/scsi/scsi_transport_iscsi.c: iscsi_conn_error_event).
	settles = time.Second
)

// askAfter is when the kernel is asked for a session's state after something has
// changed: the event of a connection that broke just then may be lost, or taken
// for one of the connection before, and the state follows it late.
var askAfter = [...]time.Duration{0, 100 * time.Millisecond, time.Second}

// errFound is the cause of an outage whose event was not seen.
var errFound = errors.New("found down")

// ask has the kernel asked for the session's state now and a little later.
func (w *watched) ask(now time.Duration) { w.asked, w.askFrom = 0, now }

// survey asks the kernel how the sessions are.
func (a *Agent) survey() {
	for _, w := range a.watched {
		a.inspect(w)
	}
}

// inspect asks the kernel how one session is.
func (a *Agent) inspect(w *watched) {
	up, err := w.Up()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		a.gone(w)
	case err != nil:
		a.cfg.Log.Warnf("session %d: %v", w.ID(), err)
	case w.ended:
	case !up && w.down == nil:
		a.broken(w, errFound)
	case up && w.down == nil:
		a.findVia(w)
		a.checkSource(w)
	case up && w.down.doing == nothing && (!w.down.forced || a.foreign(w)) && a.now()-w.down.told >= settles:
		a.recovered(w, false)
	}
}

// work does what is due and returns after how long to look again.
func (a *Agent) work() time.Duration {
	next := SurveyEvery
	if a.owner.pending() || slices.ContainsFunc(a.watched, func(w *watched) bool { return w.down != nil }) {
		a.lookForOwner()
		next = ownerEvery
	}
	for _, w := range a.watched {
		next = min(next, a.tend(w))
	}
	return max(next, time.Millisecond)
}

// tend does what is due for one session and returns after how long to look again.
func (a *Agent) tend(w *watched) time.Duration {
	next := a.askDue(w)
	if w.down == nil && !w.ended {
		next = min(next, a.suspicion(w))
	}
	if w.down == nil && !w.ended {
		next = min(next, a.leaveTemporary(w))
	}
	if w.down != nil {
		next = min(next, a.deeds(w), a.turn(w), a.rival(w))
		a.redial(w)
	}
	if w.down == nil {
		return min(next, a.askNext(w))
	}
	a.report(w)
	next = min(next, a.askNext(w), w.down.reportAt-a.now())
	if w.down.doing == nothing {
		next = min(next, w.down.dialAt-a.now())
	}
	return next
}

// askDue asks the kernel for a session's state if it is time to, and returns
// after how long it is again.
func (a *Agent) askDue(w *watched) time.Duration {
	for w.asked < len(askAfter) && a.now() >= w.askFrom+askAfter[w.asked] {
		w.asked++
		a.inspect(w)
	}
	return a.askNext(w)
}

func (a *Agent) askNext(w *watched) time.Duration {
	if w.asked == len(askAfter) {
		return SurveyEvery
	}
	return w.askFrom + askAfter[w.asked] - a.now()
}

// redial begins an attempt if one is due and the session is ours to mend. If it
// is not, it sees whether another program has mended it.
func (a *Agent) redial(w *watched) {
	o, now := w.down, a.now()
	if o.doing != nothing || now < o.dialAt {
		return
	}
	o.dialAt = now + redial(now-o.noticed, rand.Float64())
	switch {
	case a.foreign(w):
		o.pause = 0 // it is over, and not for a login of ours
		a.inspect(w)
		return
	case o.whole != nil && o.whole():
		a.recovered(w, false)
		return
	}
	a.pauseEnds(w)
	if o.test > 0 {
		a.test(w)
		return
	}
	limit := maxDials
	if o.hurried { // those under way may all be lost in what was down
		limit, o.hurried = 2*maxDials, false
	}
	if o.dials < limit {
		a.dial(w, 0)
	}
}

// ways lists how a connection may leave the machine.
func (a *Agent) ways() []session.Way {
	if a.cfg.Ways == nil {
		return nil
	}
	return a.cfg.Ways()
}
