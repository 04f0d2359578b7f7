package sequence

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/contain"
)

// Logger is the log of the runner.
type Logger interface {
	Errorf(format string, args ...any)
	Warnf(format string, args ...any)
	Infof(format string, args ...any)
	Debugf(format string, args ...any)
}

// Runner runs a list of steps.
type Runner struct {
	Steps []Step
	Log   Logger
	// Timeout is for how long retryable errors are retried; 0: no limit.
	Timeout time.Duration
	// Break names the steps before which OnBreak is called, once each, when no other step runs,
	// or breakLimit is over. OnBreak is called with "" when Attention receives a value.
	Break     []string
	OnBreak   func(step string) Resume
	Attention <-chan struct{}
	// OnStuck, if set, is called for a step that has failed for a while and is still retried.
	OnStuck func(step string)
	// OnFailing, if set, is called immediately for a step that failed permanently, while others
	// may run.
	OnFailing func(*Failure)
	// OnFailure is called for that step when all others have ended, or breakLimit is over; ok:
	// the run goes on by Resume. Nil: Run returns.
	OnFailure func(*Failure) (r Resume, ok bool)
	// Beside, if set, returns in a few words what a step that is in a system call may wait for;
	// "": nothing is known.
	Beside func() string
	// Progress, if set, is kept up to date.
	Progress *Progress

	watch   *stopwatch
	results chan result
	cancels map[int]context.CancelFunc // of the steps that run
	stopped map[int]bool               // of them, those whose result is ignored
	over    bool                       // the time that Timeout gives
}

// Resume is how the boot goes on after the shell; the zero value changes nothing.
type Resume struct {
	Steps []string // are repeated, with all that need them, even if they are done
	Break string   // the shell is to open again before this step; may be ""
	// Prepare, if set, is called while no step runs. It returns the steps that need not be done
	// because their work was done by hand.
	Prepare func() []string
}

// result is how a step ended.
type result struct {
	index   int
	err     error
	elapsed time.Duration
}

// Run runs the steps and returns the first failure after which OnFailure does not go on, when all
// other steps have ended or breakLimit is over. It returns nil if every step is done, which does
// not happen in a real boot: its last step does not return.
func (r *Runner) Run(ctx context.Context) *Failure {
	r.results = make(chan result, len(r.Steps))
	r.cancels, r.stopped = map[int]context.CancelFunc{}, map[int]bool{}
	if r.Progress == nil {
		r.Progress = &Progress{}
	}
	r.Progress.Begin(r.Steps)
	r.watch = r.Progress.watch
	for {
		f := r.round(ctx)
		if f == nil || r.OnFailure == nil {
			return f
		}
		r.watch.stop()
		resume, ok := r.OnFailure(f)
		r.watch.resume()
		if !ok {
			return f
		}
		r.resume(resume, "")
	}
}

// round runs steps until all are done, or one has failed and the others have ended. One that is in
// a system call may never end: it is left there.
func (r *Runner) round(ctx context.Context) *Failure {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	limit, stop := r.limit(ctx)
	defer stop()
	var failure *Failure
	var overdue <-chan time.Time // when a break, or the end, no longer waits for running steps
	for {
		if failure == nil {
			overdue = breakTimer(r.startReady(ctx, len(r.cancels) == 0), overdue)
		}
		if len(r.cancels) == 0 {
			return r.end(failure)
		}
		var f *Failure
		select {
		case res := <-r.results:
			f = r.ended(res)
		case a := <-r.Progress.late:
			f = r.report(a)
		case <-limit:
			limit, r.over = nil, true
			f = r.giveUp(r.Progress.stuck())
		case <-overdue:
			r.Log.Infof("still running: %s", strings.Join(r.Progress.names(running), ", "))
			if overdue = nil; failure != nil {
				return failure
			}
			r.startReady(ctx, true)
		case <-r.attention(failure):
			r.pause("")
		}
		if f != nil && failure == nil {
			failure, overdue = f, time.After(breakLimit)
			r.cancelAll()
			r.failing(f)
		}
	}
}

// end ends a round in which no step runs.
func (r *Runner) end(failure *Failure) *Failure {
	if left := r.Progress.names(waiting); failure == nil && len(left) > 0 {
		failure = &Failure{Step: left[0], Err: errors.New("needs a step that is not in the list")}
		r.failing(failure)
	}
	return failure
}

// failing reports a failure by OnFailing.
func (r *Runner) failing(f *Failure) {
	if r.OnFailing != nil {
		r.OnFailing(f)
	}
}

// attention returns the channel Attention; nil once a step has failed, because the shell opens then
// anyway.
func (r *Runner) attention(failure *Failure) <-chan struct{} {
	if failure != nil {
		return nil
	}
	return r.Attention
}

// ended notes the result of a step and returns its failure. A step that was stopped waits again,
// unless it was done nevertheless.
func (r *Runner) ended(res result) *Failure {
	r.cancels[res.index]()
	delete(r.cancels, res.index)
	step, stopped := r.Steps[res.index], r.stopped[res.index]
	delete(r.stopped, res.index)
	if stopped && res.err != nil {
		r.Progress.wait(res.index)
		return nil
	}
	r.Progress.end(res.index, res.err)
	if res.err == nil {
		r.Log.Debugf("step %s done in %.3f s", step.Name, res.elapsed.Seconds())
		return nil
	}
	return &Failure{Step: step.Name, Err: res.err, Hint: Hint(res.err), Elapsed: res.elapsed}
}

// breakLimit is for how long a break waits for the steps that run: one that is retried without end
// would keep the shell from opening.
const breakLimit = 5 * time.Second

// breakTimer starts the timer when a break begins to wait, and stops it when no break waits.
func breakTimer(held bool, timer <-chan time.Time) <-chan time.Time {
	switch {
	case !held:
		return nil
	case timer == nil:
		return time.After(breakLimit)
	}
	return timer
}

// startReady starts the steps that can start. At a break nothing new starts; held: the break waits
// for the running steps, unless open is true.
func (r *Runner) startReady(ctx context.Context, open bool) (held bool) {
	for {
		ready := slices.DeleteFunc(r.Progress.ready(), func(i int) bool { return r.cancels[i] != nil }) // in a system call since an earlier attempt
		i := slices.IndexFunc(ready, func(i int) bool { return slices.Contains(r.Break, r.Steps[i].Name) })
		if i < 0 {
			for _, i := range ready {
				r.start(ctx, i)
			}
			return false
		}
		if !open {
			return true
		}
		name := r.Steps[ready[i]].Name
		r.Break = slices.DeleteFunc(r.Break, func(b string) bool { return b == name })
		r.pause(name)
	}
}

// pause calls OnBreak, with the stopwatch stopped, and applies its result.
func (r *Runner) pause(step string) {
	r.watch.stop()
	resume := r.OnBreak(step)
	r.watch.resume()
	r.resume(resume, step)
}

// resume makes the steps that are repeated wait again. A break at a step that needs one of them
// happens again. If a running step does not end, nothing is changed.
func (r *Runner) resume(resume Resume, at string) {
	again := r.Progress.Following(resume.Steps...)
	var byHand []string
	if resume.Prepare != nil {
		// The plan must not change while a step runs.
		if stuck := r.stop(func(int) bool { return true }); len(stuck) > 0 {
			r.Log.Errorf("%s: does not end, so no step can be repeated: reboot", strings.Join(stuck, ", "))
			r.Progress.reset(nil, nil)
			return
		}
		byHand = resume.Prepare()
	}
	r.stop(func(i int) bool { return slices.Contains(again, r.Steps[i].Name) })
	r.Progress.reset(again, byHand)
	if at != "" && !slices.Contains(resume.Steps, at) && slices.Contains(again, at) {
		r.Break = append(r.Break, at)
	}
	if resume.Break != "" && !slices.Contains(r.Break, resume.Break) {
		r.Break = append(r.Break, resume.Break)
	}
}

// stop ends running steps and waits a while for their end; they then wait again, whatever their
// result. It returns those that do not end.
func (r *Runner) stop(which func(int) bool) (stuck []string) {
	waiting := map[int]bool{}
	for i, cancel := range r.cancels {
		if which(i) {
			waiting[i], r.stopped[i] = true, true
			cancel()
		}
	}
	patience := time.NewTimer(breakLimit)
	defer patience.Stop()
	var others []result
	for len(waiting) > 0 {
		select {
		case res := <-r.results:
			if !waiting[res.index] {
				others = append(others, res)
				continue
			}
			delete(waiting, res.index)
			r.ended(res)
		case <-patience.C:
			for i := range waiting {
				stuck = append(stuck, r.Steps[i].Name)
			}
			clear(waiting)
		}
	}
	for _, res := range others {
		r.results <- res
	}
	return stuck
}

// start starts a step. Its goroutine ends with a result, once the step is done, has failed, or was
// cancelled and has returned; a step in a system call can keep it.
func (r *Runner) start(ctx context.Context, i int) {
	ctx, r.cancels[i] = context.WithCancel(ctx)
	r.Progress.start(i)
	ctx = context.WithValue(ctx, taskKey{}, task{r.Progress, i})
	contain.Go("step "+r.Steps[i].Name, func() { r.attempt(ctx, i) }, func(err error) { r.results <- result{index: i, err: err} })
}

// attempt runs a step until it is done, or fails permanently.
func (r *Runner) attempt(ctx context.Context, index int) {
	step := r.Steps[index]
	began := r.watch.elapsed()
	patient := began // since when an error that is not retryable counts as one
	n := RetryLog{Log: r.Log, Step: step.Name}
	pause := Backoff{}
	for {
		err := r.runOnce(ctx, step)
		if err == nil {
			n.Succeeded()
		}
		now := r.watch.elapsed()
		if Retryable(err) {
			patient = now
		}
		took := now - began
		again := Retryable(err) || now-patient < step.Grace && !isPanic(err)
		if err == nil || !again || ctx.Err() != nil {
			r.results <- result{index, err, took}
			return
		}
		if r.Timeout > 0 && r.watch.elapsed() >= r.Timeout {
			err = fmt.Errorf("gave up after %d s (rd.timeout=): %w", int(r.Timeout.Seconds()), err)
			r.results <- result{index, err, took}
			return
		}
		r.Progress.tried(index, err)
		if n.Failed(err); n.lines > 1 && r.OnStuck != nil {
			r.OnStuck(step.Name)
		}
		pause.Wait(ctx)
	}
}

// runOnce is one attempt. A panic of the step's own goroutine becomes its error. An attempt that
// exceeds its timeout by stuckAfter is reported like a system call.
func (r *Runner) runOnce(ctx context.Context, step Step) error {
	if step.Timeout > 0 {
		if t, ok := ctx.Value(taskKey{}).(task); ok {
			defer r.Progress.enter(t.step, wholeAttempt, step.Timeout+stuckAfter)()
		}
		var cancel func()
		ctx, cancel = r.watch.withTimeout(ctx, step.Timeout)
		defer cancel()
	}
	return contain.Call("", func() error { return step.Run(ctx) })
}

func isPanic(err error) bool {
	var p *contain.PanicError
	return errors.As(err, &p)
}
