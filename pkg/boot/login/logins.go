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

// loginState is the state of the login to one target.
type loginState int

const (
	loginPending loginState = iota // still tried
	loginUp
	loginLost // given up
	// loginUnused: there is none, the path's NIC does not lead to its portal.
	loginUnused
)

// stragglerGrace is for how long the others are waited for after the first login, pathGrace for how
// long after that if all of them are further paths to targets that are logged in: their disks are
// added later.
const (
	stragglerGrace = time.Second
	pathGrace      = 100 * time.Millisecond
)

// logins are the logins to all targets, each in a goroutine of its own, so that a target that is
// down delays no other. Those that are not done at the end of the step "login" go on until root is
// found without them. A nil *logins is one whose targets are all logged in.
type logins struct {
	log   sequence.Logger
	login func(ctx context.Context, i int) error
	late  func(ctx context.Context, i int) // called for logins that succeed after the step
	// first returns the first of the sessions that are paths to the same target as the i-th;
	// nil: none are.
	first func(i int) int

	ctx      context.Context
	cancel   context.CancelFunc
	tasks    sync.WaitGroup
	stepDone chan struct{} // closed when the step is over

	mu      sync.Mutex // guards the rest; nothing is called with it held
	states  []loginState
	over    bool
	changed chan struct{} // closed at the next change
}

// newLogins makes the logins of a step. They outlive it, and use only the values of its context.
func newLogins(step context.Context, log sequence.Logger, n int, login func(context.Context, int) error, late func(context.Context, int)) *logins {
	l := &logins{log: log, login: login, late: late, stepDone: make(chan struct{}), states: make([]loginState, n), changed: make(chan struct{})}
	l.ctx, l.cancel = context.WithCancel(context.WithoutCancel(step))
	return l
}

// outcome is the result of the first attempt of one login.
type outcome struct {
	index int
	err   error
}

// firstRound is the step "login": it tries each target once, and succeeds if one login does.
func (l *logins) firstRound(ctx context.Context) error {
	stop := context.AfterFunc(ctx, contain.Func("end of logins", l.cancel, nil))
	outcomes := make(chan outcome, len(l.states))
	for i := range l.states {
		l.tasks.Go(contain.Func("login", func() { l.run(i, outcomes) }, func(err error) { l.bug(i, err, outcomes) }))
	}
	errs := make([]error, len(l.states)) // nil as well for those without a login
	var enough, paths <-chan time.Time
	reached := map[int]bool{} // by the first session of a target
	for left := l.targets(); len(left) > 0; {
		select {
		case o := <-outcomes:
			delete(left, o.index)
			if l.unused(o.index, o.err) {
				break
			}
			errs[o.index] = o.err
			if o.err != nil {
				break
			}
			reached[l.target(o.index)] = true
			if enough == nil {
				enough = time.After(stragglerGrace)
			}
		case <-enough:
			clear(left)
		case <-paths:
			clear(left)
		}
		if paths == nil && all(left, reached) {
			paths = time.After(pathGrace)
		}
	}
	if !stop() || !l.leave() {
		l.cancel()
		l.tasks.Wait()
		return joinLogins(errs)
	}
	return nil
}

// target returns the index of the first session to the i-th one's target.
func (l *logins) target(i int) int {
	if l.first == nil {
		return i
	}
	return l.first(i)
}

// targets returns the target of each session.
func (l *logins) targets() map[int]int {
	out := map[int]int{}
	for i := range l.states {
		out[i] = l.target(i)
	}
	return out
}

// all reports whether the targets of these sessions are reached.
func all(left map[int]int, reached map[int]bool) bool {
	for _, target := range left {
		if !reached[target] {
			return false
		}
	}
	return true
}

// bug handles that a target's goroutine has panicked. The step may be over by then.
func (l *logins) bug(i int, err error, first chan<- outcome) {
	l.log.Errorf("login: %v: continuing without this target", err)
	sequence.LogStack(l.log, err)
	l.giveUp(i)
	select {
	case first <- outcome{i, err}:
	default:
	}
}

// leave ends the step if any target is logged in; the other logins go on.
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
	err := l.loginRetrying(i)
	if err == nil {
		l.set(i, loginUp)
	}
	first <- outcome{i, err}
	if l.unused(i, err) {
		return
	}
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
		err = l.loginRetrying(i)
	}
	switch {
	case l.unused(i, err):
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

// unusedError is why there is no login by a path.
type unusedError struct{ why string }

// Error implements error.
func (e *unusedError) Error() string { return "the path is not used: " + e.why }

// unused reports whether the error of a login is that there is none, and notes it.
func (l *logins) unused(i int, err error) bool {
	var unused *unusedError
	if !errors.As(err, &unused) {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.states[i] == loginPending {
		l.log.Debugf("login: session %d of %d: %v", i+1, len(l.states), err)
		l.setLocked(i, loginUnused)
	}
	return true
}

// loginRetrying logs in, and retries after a refusal that allows it, as often as the error allows
// and with its pause.
func (l *logins) loginRetrying(i int) error {
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

// giveUp notes that the login to a target is given up.
func (l *logins) giveUp(i int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.setLocked(i, loginLost)
}

// later makes the state of a target that is logged in pending until work has ended.
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

// set notes a state. For a target that comes up after the step late is called, which looks for its
// disks.
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

// up reports whether a target is logged in.
func (l *logins) up(i int) bool { return l.state(i) == loginUp }

// gone reports whether a session stays without a login.
func (l *logins) gone(i int) bool {
	state := l.state(i)
	return state == loginLost || state == loginUnused
}

// pending lists the targets that are still tried.
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

// waits lists the targets to wait for: the pending ones, none once the logins have been ended.
func (l *logins) waiting() []int {
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

// end stops the logins that are still tried and waits for their end.
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

// loginErrors are those of several targets, none of which is logged in.
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

// Retryable reports whether any of them is retryable.
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
