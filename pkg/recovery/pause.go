package recovery

import (
	"context"
	"fmt"
	"time"
)

// Pauses between the end of what recovers sessions, by a panic or a signal, and its next
// start: each is twice the one before.
const (
	RestartFirst = 100 * time.Millisecond // too short for I/O to time out meanwhile
	RestartMost  = 10 * time.Second       // leaves the processor and the log to others
)

// SurveyEvery is how often sessions, uplinks and disks are looked at without an event of
// the kernel's: a message can get lost. It is far below the shortest recovery time-out
// that makes sense, and a look costs a few reads of sysfs.
const SurveyEvery = 30 * time.Second

// pauseFor lets no attempt begin for a while, and writes that to the log with its
// length, as it writes the end of it.
func (a *Agent) pauseFor(w *sessionState, length time.Duration, log func(string, ...any), why string, args ...any) {
	if length <= 0 || a.now()+length <= w.down.notBefore { // a longer one has begun
		return
	}
	w.down.holdOff(a.now() + length)
	if length < time.Second {
		return
	}
	w.down.pause = length
	a.logf(w, log, "%s for %.0f s", fmt.Sprintf(why, args...), length.Seconds())
	a.changed()
}

// logPauseEnd writes that a pause is over, if there was one.
func (a *Agent) logPauseEnd(w *sessionState) {
	if o := w.down; o.pause > 0 && a.now() >= o.notBefore {
		a.logf(w, a.cfg.Log.Infof, "the pause of %.0f s is over: logging in again", o.pause.Seconds())
		o.pause = 0
	}
}

// startDuplicateTest finds out whether another machine uses our name, before the next login.
func (a *Agent) startDuplicateTest(w *sessionState) {
	o, ways, wait := w.down, a.ways(), w.down.testWait
	o.testWait, o.running = 0, testingName
	ctx, cancel := context.WithTimeout(a.ctx, testLimit+2*wait)
	o.stop = cancel
	a.attempt(w, cancel, result{outage: o, kind: testingName}, func(r *result) {
		r.duplicate, r.err = w.Duplicate(ctx, ways, wait)
	})
}

// duplicateTested goes on after the test: without evidence the next login begins at once.
func (a *Agent) duplicateTested(w *sessionState, r result) {
	o := w.down
	o.running, o.dialAt = noAttempt, max(a.now(), o.notBefore)
	if r.duplicate {
		a.pauseForDuplicate(w)
	}
}
