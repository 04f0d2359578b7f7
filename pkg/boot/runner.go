package boot

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// Logger is what the runner reports to.
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
	// Timeout is for how long what heals is tried; 0: for ever.
	Timeout time.Duration
	// Break names the steps before which OnBreak is called, once each, with
	// nothing else running but what is long in coming to an end. OnBreak is
	// called with "" when Attention asks for it in the midst of things.
	Break     []string
	OnBreak   func(step string) Resume
	Attention <-chan struct{}
	// OnStuck, if set, is called by a step that has failed for a while and goes
	// on trying.
	OnStuck func(step string)
	// OnFailure is called for a step that failed for good, with nothing
	// running; ok tells to go on as Resume says. Nil: Run returns.
	OnFailure func(*Failure) (r Resume, ok bool)
	// Progress, if set, is kept up to date.
	Progress *Progress

	watch   *stopwatch
	results chan result
	cancels map[int]context.CancelFunc // of the steps that run
}

// Resume is how the boot goes on after the shell; the zero value is that
// nothing has changed.
type Resume struct {
	Steps []string // are done again, and all that need them, also if they are done
	Break string   // the shell is to open again before this step; may be ""
	// Prepare, if set, is called with nothing running. It returns the steps
	// that need not be done: a person did their work.
	Prepare func() []string
}

// result is how a step ended.
type result struct {
	index   int
	err     error
	elapsed time.Duration
}

// Run runs the steps and returns the first failure that OnFailure has no way
// out of, after all that ran has ended. It returns nil only if every step is
// done, which the last step, that never returns, makes impossible in a real
// boot.
func (r *Runner) Run(ctx context.Context) *Failure {
	r.watch = newStopwatch()
	r.results = make(chan result, len(r.Steps))
	r.cancels = map[int]context.CancelFunc{}
	if r.Progress == nil {
		r.Progress = &Progress{}
	}
	r.Progress.begin(r.Steps, r.watch)
	for {
		f := r.round(ctx)
		if f == nil || r.OnFailure == nil {
			return f
		}
		r.watch.stop()
		resume, ok := r.OnFailure(f)
		r.watch.goOn()
		if !ok {
			return f
		}
		r.resume(resume, "")
	}
}

// round runs steps until all are done, or one has failed and all have ended.
func (r *Runner) round(ctx context.Context) *Failure {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var failure *Failure
	var overdue <-chan time.Time // when a break no longer waits for what runs
	for {
		if failure == nil {
			overdue = breakTimer(r.startReady(ctx, len(r.cancels) == 0), overdue)
		}
		if len(r.cancels) == 0 {
			return r.end(failure)
		}
		select {
		case res := <-r.results:
			if f := r.ended(res); f != nil && failure == nil {
				failure, overdue = f, nil
				cancel()
			}
		case <-overdue:
			overdue = nil
			r.Log.Infof("still running: %s", strings.Join(r.Progress.names(running), ", "))
			r.startReady(ctx, true)
		case <-r.attention(failure):
			r.pause("")
		}
	}
}

// end is the end of a round with nothing running.
func (r *Runner) end(failure *Failure) *Failure {
	if left := r.Progress.names(waiting); failure == nil && len(left) > 0 {
		return &Failure{Step: left[0], Err: errors.New("needs a step that is not in the list")}
	}
	return failure
}

// attention is not listened to once a step has failed: the shell opens anyway.
func (r *Runner) attention(failure *Failure) <-chan struct{} {
	if failure != nil {
		return nil
	}
	return r.Attention
}

// ended takes a step's end up and returns its failure.
func (r *Runner) ended(res result) *Failure {
	r.cancels[res.index]()
	delete(r.cancels, res.index)
	step := r.Steps[res.index]
	r.Progress.end(res.index, res.err)
	if res.err == nil {
		r.Log.Debugf("step %s done in %.3f s", step.Name, res.elapsed.Seconds())
		return nil
	}
	return &Failure{Step: step.Name, Err: res.err, Hint: hint(res.err), Elapsed: res.elapsed}
}

// breakPatience is for how long a break waits for the steps that run: one that
// tries again for ever would keep the shell shut.
const breakPatience = 5 * time.Second

// breakTimer starts the timer when a break begins to wait, and stops it when
// none does any more.
func breakTimer(held bool, timer <-chan time.Time) <-chan time.Time {
	switch {
	case !held:
		return nil
	case timer == nil:
		return time.After(breakPatience)
	}
	return timer
}

// startReady starts what can start. At a break nothing new starts: held says
// that one waits for what runs, unless open tells not to wait.
func (r *Runner) startReady(ctx context.Context, open bool) (held bool) {
	for {
		ready := r.Progress.ready()
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

// pause calls OnBreak, with the watch standing still, and does what it says.
func (r *Runner) pause(step string) {
	r.watch.stop()
	resume := r.OnBreak(step)
	r.watch.goOn()
	r.resume(resume, step)
}

// resume makes what is to be done again wait for its turn. A break at a step
// that needs what is done again comes again.
func (r *Runner) resume(resume Resume, at string) {
	again := r.Progress.following(resume.Steps...)
	var byHand []string
	if resume.Prepare != nil {
		// What runs must not see its plan change.
		r.stop(func(int) bool { return true })
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

// stop ends running steps and waits for their end; they then wait for their
// turn again, whatever came of them.
func (r *Runner) stop(which func(int) bool) {
	var stopped []int
	for i, cancel := range r.cancels {
		if which(i) {
			stopped = append(stopped, i)
			cancel()
		}
	}
	var others []result
	for left := len(stopped); left > 0; {
		res := <-r.results
		if !slices.Contains(stopped, res.index) {
			others = append(others, res)
			continue
		}
		left--
		r.ended(res)
	}
	for _, res := range others {
		r.results <- res
	}
}

// start lets a step run.
func (r *Runner) start(ctx context.Context, i int) {
	ctx, r.cancels[i] = context.WithCancel(ctx)
	r.Progress.start(i)
	go r.attempt(ctx, i)
}

// attempt tries a step until it is done, or fails for good.
func (r *Runner) attempt(ctx context.Context, index int) {
	step := r.Steps[index]
	began := r.watch.elapsed()
	n := nag{log: r.Log, step: step.Name}
	pause := backoff{}
	for {
		err := r.runOnce(ctx, step)
		if err == nil {
			n.healed()
		}
		took := r.watch.elapsed() - began
		again := heals(err) || took < step.Patience && !isPanic(err)
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
		if n.failed(err); n.lines > 1 && r.OnStuck != nil {
			r.OnStuck(step.Name)
		}
		pause.wait(ctx)
	}
}

// runOnce is one try. A panic of the step's own goroutine becomes its error.
func (r *Runner) runOnce(ctx context.Context, step Step) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: strings.TrimSpace(string(debug.Stack()))}
		}
	}()
	if step.Timeout > 0 {
		var cancel func()
		ctx, cancel = r.watch.withTimeout(ctx, step.Timeout)
		defer cancel()
	}
	return step.Run(ctx)
}

func isPanic(err error) bool {
	var p *PanicError
	return errors.As(err, &p)
}
