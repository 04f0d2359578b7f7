package login

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/clock"
	"github.com/iscsiroot/iscsiroot/pkg/contain"
)

// loginState is how far the login to one target is.
type loginState int

const (
	loginPending loginState = iota // is being tried
	loginUp
	loginLost // will not come about
)

// stragglerGrace is for how long the first target that is logged in to waits for the others.
const stragglerGrace = time.Second

// logins are the logins to all targets, each in a goroutine of its own, so that a dead one stops no
// other. Those that the step "login" leaves behind go on until root is found without them. A nil
// *logins is one of targets that are all there.
type logins struct {
	log   sequence.Logger
	login func(ctx context.Context, i int) error
	late  func(ctx context.Context, i int) // called for what came up after the step

	ctx      context.Context
	cancel   context.CancelFunc
	tasks    sync.WaitGroup
	stepDone chan struct{} // closed when the step is over

	mu      sync.Mutex // guards the rest; nothing is called with it held
	states  []loginState
	over    bool
	changed chan struct{} // closed at the next change
}

// newLogins makes them for a step. They outlive it, and its context, but for the values of that.
func newLogins(step context.Context, log sequence.Logger, n int, login func(context.Context, int) error, late func(context.Context, int)) *logins {
	l := &logins{log: log, login: login, late: late, stepDone: make(chan struct{}), states: make([]loginState, n), changed: make(chan struct{})}
	l.ctx, l.cancel = context.WithCancel(context.WithoutCancel(step))
	return l
}

// outcome is how the first try of one login ended.
type outcome struct {
	index int
	err   error
}

// firstRound is the step "login": it tries each target once, and succeeds if one is there.
func (l *logins) firstRound(ctx context.Context) error {
	stop := context.AfterFunc(ctx, contain.Func("end of logins", l.cancel, nil))
	outcomes := make(chan outcome, len(l.states))
	for i := range l.states {
		l.tasks.Go(contain.Func("login", func() { l.run(i, outcomes) }, func(err error) { l.bug(i, err, outcomes) }))
	}
	errs := make([]error, len(l.states))
	var enough <-chan time.Time
	for left := len(l.states); left > 0; {
		select {
		case o := <-outcomes:
			left--
			errs[o.index] = o.err
			if o.err == nil && enough == nil {
				enough = time.After(stragglerGrace)
			}
		case <-enough:
			left = 0
		}
	}
	if !stop() || !l.leave() {
		l.cancel()
		l.tasks.Wait()
		return joinLogins(errs)
	}
	return nil
}

// bug handles that a target's goroutine has panicked. The step may be over by then.
func (l *logins) bug(i int, err error, first chan<- outcome) {
	l.log.Errorf("login: %v: continuing without this target", err)
	sequence.LogStack(l.log, err)
	l.lose(i)
	select {
	case first <- outcome{i, err}:
	default:
	}
}

// leave ends the step if any target is there; the others go on by themselves.
func (l *logins) leave() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Contains(l.states, loginUp) {
		return false
	}
	l.over = true
	close(l.stepDone)
	return true
}

// run is one target's goroutine.
func (l *logins) run(i int, first chan<- outcome) {
	err := l.admitted(i)
	if err == nil {
		l.set(i, loginUp)
	}
	first <- outcome{i, err}
	select {
	case <-l.stepDone:
	case <-l.ctx.Done():
		return
	}
	n := sequence.RetryLog{Log: l.log, Step: "login"}
	pause := sequence.Backoff{}
	for err != nil && sequence.Retryable(err) {
		n.Failed(err)
		pause.Wait(l.ctx)
		if l.ctx.Err() != nil {
			return
		}
		err = l.admitted(i)
	}
	switch {
	case err != nil:
		l.log.Errorf("login: %v: continuing without this target", err)
		if h := sequence.Hint(err); h != "" {
			l.log.Errorf("hint: %s", h)
		}
		l.set(i, loginLost)
	case l.state(i) != loginUp:
		n.Succeeded()
		l.set(i, loginUp)
	}
}

// admitted logs in, again after a refusal that asks for another try, as often and at the pace that
// the error has.
func (l *logins) admitted(i int) error {
	n := sequence.RetryLog{Log: l.log, Step: "login"}
	for {
		err := contain.Call("login", func() error { return l.login(l.ctx, i) })
		var slow interface{ Pause() time.Duration }
		if err == nil || !sequence.Retryable(err) || !errors.As(err, &slow) || slow.Pause() == 0 {
			return err
		}
		n.Failed(err)
		if clock.Sleep(l.ctx, slow.Pause()) != nil {
			return err
		}
	}
}

// lose notes that a target will not be there.
func (l *logins) lose(i int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.setLocked(i, loginLost)
}

// later makes a target that is logged in one that is not there yet, until work has come to its end.
func (l *logins) later(i int, work func(context.Context)) {
	l.mu.Lock()
	l.setLocked(i, loginPending)
	l.mu.Unlock()
	l.tasks.Go(contain.Func("late scan", func() {
		if work(l.ctx); l.ctx.Err() == nil {
			l.set(i, loginUp)
		}
	}, func(err error) { l.bug(i, err, nil) }))
}

// set notes a state. A target that comes up when the step is over has its disks looked for by late.
func (l *logins) set(i int, s loginState) {
	l.mu.Lock()
	late := l.over && s == loginUp
	l.mu.Unlock()
	if late {
		l.late(l.ctx, i)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.states[i] != loginLost { // given up meanwhile
		l.setLocked(i, s)
	}
}

// setLocked notes a state; mu is held.
func (l *logins) setLocked(i int, s loginState) {
	l.states[i] = s
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *logins) state(i int) loginState {
	if l == nil {
		return loginUp
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.states[i]
}

// up reports whether a target is there.
func (l *logins) up(i int) bool { return l.state(i) == loginUp }

// pending lists the targets that are still being tried.
func (l *logins) pending() []int {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []int
	for i, s := range l.states {
		if s == loginPending {
			out = append(out, i)
		}
	}
	return out
}

// waits lists the targets for which it is worth to wait: none once the logins have been ended.
func (l *logins) waits() []int {
	if l == nil || l.ctx.Err() != nil {
		return nil
	}
	return l.pending()
}

// change returns a channel that is closed at the next change of any state.
func (l *logins) change() <-chan struct{} {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed
}

// end stops what is still being tried and waits for its end.
func (l *logins) end(ctx context.Context) error {
	if l == nil {
		return nil
	}
	l.cancel()
	done := make(chan struct{})
	contain.Go("end of logins", func() {
		defer close(done)
		l.tasks.Wait()
	}, nil)
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// loginErrors are those of several targets, none of which is there.
type loginErrors []error

// joinLogins makes one error of several, and leaves a single one as it is.
func joinLogins(errs []error) error {
	errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	switch len(errs) {
	case 0:
		return context.Canceled // another step failed
	case 1:
		return errs[0]
	}
	return loginErrors(errs)
}

// Error implements error.
func (e loginErrors) Error() string {
	var out []string
	for _, err := range e {
		out = append(out, err.Error())
	}
	return strings.Join(out, "; ")
}

// Unwrap returns the errors.
func (e loginErrors) Unwrap() []error { return e }

// Retryable reports whether any of them does.
func (e loginErrors) Retryable() bool { return slices.ContainsFunc(e, sequence.Retryable) }

// Hint is that of the first that has one.
func (e loginErrors) Hint() string {
	for _, err := range e {
		if h := sequence.Hint(err); h != "" {
			return h
		}
	}
	return ""
}
