package sequence

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// limit returns a channel that is closed when Timeout is over; nil without one.
func (r *Runner) limit(ctx context.Context) (over <-chan struct{}, stop func()) {
	if r.Timeout <= 0 {
		return nil, func() {}
	}
	limited, cancel := r.watch.withTimeout(ctx, r.Timeout-r.watch.elapsed())
	return limited.Done(), cancel
}

// report logs that a step is in a system call that lasts. When the time is over it is the step's
// failure.
func (r *Runner) report(a *activity) *Failure {
	lasts := a.lasts()
	if lasts == 0 {
		return nil
	}
	if r.over {
		return r.giveUp(a)
	}
	r.Log.Errorf("step %s: %v", r.Steps[a.step].Name, r.stuckError(a, lasts))
	return nil
}

// giveUp is the failure of a step in a system call when the time is over.
func (r *Runner) giveUp(a *activity) *Failure {
	if a == nil || r.cancels[a.step] == nil || r.stopped[a.step] {
		return nil
	}
	lasts := r.watch.elapsed() - a.began
	err := fmt.Errorf("gave up after %d s (rd.timeout=): %w", int(r.Timeout.Seconds()), r.stuckError(a, lasts))
	r.Progress.end(a.step, err)
	return &Failure{Step: r.Steps[a.step].Name, Err: err, Elapsed: lasts}
}

// stuckError describes the system call that a step is in, and what it may wait for.
func (r *Runner) stuckError(a *activity, lasts time.Duration) error {
	text := fmt.Sprintf("in %s for %d s", a.what, int(lasts.Seconds()))
	if r.Beside != nil {
		if beside := r.Beside(); beside != "" {
			text += "; " + beside
		}
	}
	return errors.New(text)
}

// cancelAll cancels all running steps. Their results are ignored.
func (r *Runner) cancelAll() {
	for i, cancel := range r.cancels {
		r.stopped[i] = true
		cancel()
	}
}
