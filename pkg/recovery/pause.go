package recovery

import (
	"context"
	"fmt"
	"time"
)

// Pauses before session recovery is restarted after a panic or a signal: each is twice the one
// before.
const (
	RestartFirst = 100 * time.Millisecond // too short for an I/O time-out
	RestartMost  = 10 * time.Second       // leaves processor time and log space to other programs
)

// SurveyEvery is how often sessions, uplinks and disks are checked without an event of the kernel:
// a message can get lost. It is far below the shortest sensible recovery time-out, and a check
// costs a few reads of sysfs.
const SurveyEvery = 30 * time.Second

// pauseFor delays attempts for a time, and logs its length. logPauseEnd logs its end.
func (a *Agent) pauseFor(w *sessionState, length time.Duration, log func(string, ...any), why string, args ...any) {
	if length <= 0 || a.now()+length <= w.down.notBefore { // a longer pause runs
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

// logPauseEnd logs that a pause is over, if there was one.
func (a *Agent) logPauseEnd(w *sessionState) {
	if o := w.down; o.pause > 0 && a.now() >= o.notBefore {
		a.logf(w, a.cfg.Log.Infof, "the pause of %.0f s is over: logging in again", o.pause.Seconds())
		o.pause = 0
	}
}

// startDuplicateTest tests whether another machine uses the same initiator name, before the next
// login.
func (a *Agent) startDuplicateTest(w *sessionState) {
	o, ways, wait := w.down, a.ways(w), w.down.testWait
	o.testWait, o.running = 0, testingName
	ctx, cancel := context.WithTimeout(a.ctx, testLimit+2*wait)
	o.stop = cancel
	a.attempt(w, cancel, result{outage: o, kind: testingName}, func(r *result) {
		r.duplicate, r.err = w.Duplicate(ctx, ways, wait)
	})
}

// duplicateTested handles the test's result: without evidence the next login begins immediately.
func (a *Agent) duplicateTested(w *sessionState, r result) {
	o := w.down
	o.running, o.dialAt = noAttempt, max(a.now(), o.notBefore)
	if r.duplicate {
		a.pauseForDuplicate(w)
	}
}
