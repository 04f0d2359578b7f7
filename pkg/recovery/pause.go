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

// leave lets no attempt begin for a while, and writes that to the log with its
// length, as it writes the end of it.
func (a *Agent) leave(w *watched, length time.Duration, log func(string, ...any), why string, args ...any) {
	if length <= 0 || a.now()+length <= w.down.notBefore { // a longer one has begun
		return
	}
	w.down.peace(a.now() + length)
	if length < time.Second {
		return
	}
	w.down.pause = length
	a.say(w, log, "%s for %.0f s", fmt.Sprintf(why, args...), length.Seconds())
	a.changed()
}

// pauseEnds writes that a pause is over, if there was one.
func (a *Agent) pauseEnds(w *watched) {
	if o := w.down; o.pause > 0 && a.now() >= o.notBefore {
		a.say(w, a.cfg.Log.Infof, "the pause of %.0f s is over: logging in again", o.pause.Seconds())
		o.pause = 0
	}
}

// test finds out whether another machine uses our name, before the next login.
func (a *Agent) test(w *watched) {
	o, ways, wait := w.down, a.ways(), w.down.test
	o.test, o.doing = 0, examining
	ctx, cancel := context.WithTimeout(a.ctx, testLimit+2*wait)
	o.stop = cancel
	a.attempt(w, cancel, result{of: o, what: examining}, func(r *result) {
		r.duplicate, r.err = w.Duplicate(ctx, ways, wait)
	})
}

// tested goes on after the test: without evidence the next login begins at once.
func (a *Agent) tested(w *watched, r result) {
	o := w.down
	o.doing, o.dialAt = nothing, max(a.now(), o.notBefore)
	if r.duplicate {
		a.duplicate(w)
	}
}
