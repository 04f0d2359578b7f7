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
	// nothing else running.
	Break   []string
	OnBreak func(step string)
}

type state int

const (
	waiting state = iota
	running
	done
)

// result is how a step ended.
type result struct {
	index   int
	err     error
	elapsed time.Duration
}

// Run runs the steps and returns the first failure, after all that ran has
// ended. It returns nil only if every step is done, which the last step, that
// never returns, makes impossible in a real boot.
func (r *Runner) Run(ctx context.Context) *Failure {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	states := make([]state, len(r.Steps))
	results := make(chan result)
	started := time.Now()
	active := 0
	var failure *Failure
	var overdue <-chan time.Time // when a break no longer waits for what runs
	for {
		if failure == nil {
			started, held := r.startReady(ctx, states, started, results, active == 0)
			active += started
			overdue = breakTimer(held, overdue)
		}
		if active == 0 {
			if failure == nil && slices.Contains(states, waiting) {
				failure = &Failure{Step: r.Steps[slices.Index(states, waiting)].Name, Err: errors.New("needs a step that is not in the list")}
			}
			return failure
		}
		var res result
		select {
		case res = <-results:
		case <-overdue:
			overdue = nil
			r.Log.Infof("still running: %s", strings.Join(r.inState(states, running), ", "))
			started, _ := r.startReady(ctx, states, started, results, true)
			active += started
			continue
		}
		active--
		step := r.Steps[res.index]
		states[res.index] = done
		switch {
		case res.err == nil:
			r.Log.Debugf("step %s done in %.3f s", step.Name, res.elapsed.Seconds())
		case failure == nil:
			failure = &Failure{Step: step.Name, Err: res.err, Hint: hint(res.err), Elapsed: res.elapsed}
			overdue = nil
			cancel()
		}
	}
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

// startReady starts what can start and returns how many. At a break nothing
// new starts: held says that one waits for what runs, unless open tells not to
// wait.
func (r *Runner) startReady(ctx context.Context, states []state, boot time.Time, results chan<- result, open bool) (started int, held bool) {
	for {
		ready := r.ready(states)
		i := slices.IndexFunc(ready, func(i int) bool { return slices.Contains(r.Break, r.Steps[i].Name) })
		if i < 0 {
			for _, i := range ready {
				states[i] = running
				go r.attempt(ctx, i, boot, results)
			}
			return len(ready), false
		}
		if !open {
			return 0, true
		}
		name := r.Steps[ready[i]].Name
		r.Break = slices.DeleteFunc(r.Break, func(b string) bool { return b == name })
		r.OnBreak(name)
	}
}

// inState names the steps in a state.
func (r *Runner) inState(states []state, s state) []string {
	var out []string
	for i, step := range r.Steps {
		if states[i] == s {
			out = append(out, step.Name)
		}
	}
	return out
}

// ready lists the waiting steps whose needs are done.
func (r *Runner) ready(states []state) []int {
	var out []int
	for i, s := range r.Steps {
		ok := states[i] == waiting
		for _, need := range s.Needs {
			j := slices.IndexFunc(r.Steps, func(s Step) bool { return s.Name == need })
			ok = ok && j >= 0 && states[j] == done
		}
		if ok {
			out = append(out, i)
		}
	}
	return out
}

// attempt tries a step until it is done, or fails for good.
func (r *Runner) attempt(ctx context.Context, index int, boot time.Time, results chan<- result) {
	step := r.Steps[index]
	began := time.Now()
	n := nag{log: r.Log, step: step.Name}
	pause := backoff{}
	for {
		err := runOnce(ctx, step)
		if err == nil {
			n.healed()
		}
		again := heals(err) || time.Since(began) < step.Patience && !isPanic(err)
		if err == nil || !again || ctx.Err() != nil {
			results <- result{index, err, time.Since(began)}
			return
		}
		if r.Timeout > 0 && time.Since(boot) >= r.Timeout {
			err = fmt.Errorf("gave up after %d s (rd.timeout=): %w", int(r.Timeout.Seconds()), err)
			results <- result{index, err, time.Since(began)}
			return
		}
		n.failed(err)
		pause.wait(ctx)
	}
}

// runOnce is one try. A panic of the step's own goroutine becomes its error.
func runOnce(ctx context.Context, step Step) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: strings.TrimSpace(string(debug.Stack()))}
		}
	}()
	if step.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, step.Timeout)
		defer cancel()
	}
	return step.Run(ctx)
}

func isPanic(err error) bool {
	var p *PanicError
	return errors.As(err, &p)
}
