package sequence

import (
	"context"
	"slices"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/contain"
)

// When a step that is in a system call is logged first, and the interval after that.
const (
	stuckAfter = 10 * time.Second // a call that works takes less, on the slowest disk too
	stuckAgain = time.Minute      // the interval of other errors that last
)

// activity is a part of a step that no context ends: a system call, mostly one that waits for a
// disk.
type activity struct {
	p     *Progress
	step  int // index
	what  string
	began time.Duration // by the watch
	least time.Duration // for how long it is not reported
	timer *time.Timer   // until it is late, or late again
	ended bool          // guarded by Progress.mu
}

// Blocking records that the step of ctx is in a system call that ctx does not end. The runner
// reports one that lasts. The function that it returns records the end.
func Blocking(ctx context.Context, what string) (end func()) {
	t, ok := ctx.Value(taskKey{}).(task)
	if !ok {
		return func() {}
	}
	return t.p.enter(t.step, what, stuckAfter)
}

// task is a running step, in its context.
type task struct {
	p    *Progress
	step int // index
}

// taskKey is the key of a step's task in its context.
type taskKey struct{}

// enter begins an activity of a step.
func (p *Progress) enter(step int, what string, least time.Duration) (end func()) {
	a := &activity{p: p, step: step, what: what, began: p.watch.elapsed(), least: least}
	p.mu.Lock()
	defer p.mu.Unlock()
	a.timer = time.AfterFunc(least, contain.Func("watch over a step", a.reportLate, nil))
	p.steps[step].doing = append(p.steps[step].doing, a)
	return a.end
}

func (a *activity) end() {
	a.p.mu.Lock()
	defer a.p.mu.Unlock()
	a.ended = true
	a.timer.Stop()
	all := &a.p.steps[a.step].doing
	*all = slices.DeleteFunc(*all, func(other *activity) bool { return other == a })
}

// reportLate reports to the runner that the activity lasts. If the stopwatch stood still meanwhile,
// or the runner is busy, it does so later.
func (a *activity) reportLate() {
	a.p.mu.Lock()
	defer a.p.mu.Unlock()
	if a.ended {
		return
	}
	if left := a.least - (a.p.watch.elapsed() - a.began); left > 0 {
		a.timer.Reset(left)
		return
	}
	select {
	case a.p.late <- a:
	default:
		a.timer.Reset(time.Second)
	}
}

// lasts returns for how long a late activity has lasted, and has it reported again after a minute.
// 0: it has ended, or it is a whole attempt of a step that has a more specific late activity.
func (a *activity) lasts() time.Duration {
	a.p.mu.Lock()
	defer a.p.mu.Unlock()
	if a.ended {
		return 0
	}
	a.timer.Reset(stuckAgain)
	if a.what == wholeAttempt && len(a.p.steps[a.step].doing) > 1 {
		return 0
	}
	return a.p.watch.elapsed() - a.began
}

// wholeAttempt is the activity of a step that outlasts its time.
const wholeAttempt = "one attempt"

// stuck returns the activity of a running step that has lasted the longest, if one is late; a whole
// attempt only if there is no other; nil: none is late.
func (p *Progress) stuck() *activity {
	p.mu.Lock()
	defer p.mu.Unlock()
	var longest *activity
	for i := range p.steps {
		for _, a := range p.steps[i].doing {
			if p.watch.elapsed()-a.began < a.least {
				continue
			}
			if longest == nil || longest.what == wholeAttempt || a.what != wholeAttempt && a.began < longest.began {
				longest = a
			}
		}
	}
	return longest
}
