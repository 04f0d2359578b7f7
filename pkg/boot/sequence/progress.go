package sequence

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

type state int

const (
	waiting state = iota
	running
	done
	failed
)

// Progress is the state of the steps. The runner writes it, and the shell reads it concurrently.
type Progress struct {
	mu    sync.Mutex // guards the rest, the steps' activities too; stopwatch.mu is taken under it
	watch *stopwatch
	steps []stepProgress
	late  chan *activity // those that last; the runner reads it
}

// stepProgress is the state of one step.
type stepProgress struct {
	Step
	state        state
	began, ended time.Duration // by the stopwatch
	tries        int           // that went wrong
	err          error         // of the last attempt
	doing        []*activity   // under way
}

// Begin makes every step of a list wait. [Runner.Run] calls it.
func (p *Progress) Begin(steps []Step) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watch, p.steps, p.late = newStopwatch(), make([]stepProgress, len(steps)), make(chan *activity, len(steps))
	for i, s := range steps {
		p.steps[i].Step = s
	}
}

func (p *Progress) start(i int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := &p.steps[i]
	s.state, s.began, s.tries, s.err = running, p.watch.elapsed(), 0, nil
}

func (p *Progress) tried(i int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.steps[i].tries++
	p.steps[i].err = err
}

func (p *Progress) end(i int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := &p.steps[i]
	s.state, s.ended, s.err = done, p.watch.elapsed(), err
	if err != nil {
		s.state = failed
	}
}

// wait makes a step wait again.
func (p *Progress) wait(i int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.steps[i].state = waiting
}

// reset makes steps wait again, and all that failed. Those in byHand are done.
func (p *Progress) reset(again, byHand []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.steps {
		s := &p.steps[i]
		if s.state == failed || slices.Contains(again, s.Name) {
			s.state = waiting
		}
		if slices.Contains(byHand, s.Name) {
			s.state, s.began, s.ended, s.err = done, p.watch.elapsed(), p.watch.elapsed(), nil
		}
	}
}

// ready lists the waiting steps whose needs are done.
func (p *Progress) ready() []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []int
	for i, s := range p.steps {
		if s.state == waiting && len(p.missing(s.Step)) == 0 {
			out = append(out, i)
		}
	}
	return out
}

// missing lists a step's needs that are not done.
func (p *Progress) missing(s Step) []string {
	var out []string
	for _, need := range s.Needs {
		if i := p.index(need); i < 0 || p.steps[i].state != done {
			out = append(out, need)
		}
	}
	return out
}

// index is -1 for a name that is not a step.
func (p *Progress) index(name string) int {
	return slices.IndexFunc(p.steps, func(s stepProgress) bool { return s.Name == name })
}

// names lists the steps in a state.
func (p *Progress) names(st state) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []string
	for _, s := range p.steps {
		if s.state == st {
			out = append(out, s.Name)
		}
	}
	return out
}

// Following lists steps and all that need them, directly or not.
func (p *Progress) Following(names ...string) []string {
	in := map[string]bool{}
	for _, name := range names {
		in[name] = true
	}
	for range p.steps { // at most as many rounds as there are steps
		for _, s := range p.steps {
			if slices.ContainsFunc(s.Needs, func(need string) bool { return in[need] }) {
				in[s.Name] = true
			}
		}
	}
	return slices.DeleteFunc(p.All(), func(name string) bool { return !in[name] })
}

// All lists the steps.
func (p *Progress) All() []string {
	var out []string
	for _, s := range p.steps {
		out = append(out, s.Name)
	}
	return out
}

// Done reports whether a step is done.
func (p *Progress) Done(name string) bool { return slices.Contains(p.names(done), name) }

// Retrying lists the running steps that have failed and are retried.
func (p *Progress) Retrying() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []string
	for _, s := range p.steps {
		if s.state == running && s.tries > 0 {
			out = append(out, s.Name)
		}
	}
	return out
}

// Failure is the error of a step's last attempt; nil if it succeeded.
func (p *Progress) Failure(name string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := p.index(name); i >= 0 {
		return p.steps[i].err
	}
	return nil
}

// String is a line for each step: its state, its time, and what it waits for.
func (p *Progress) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.steps) == 0 {
		return "no step has begun\n"
	}
	var out strings.Builder
	for _, s := range p.steps {
		fmt.Fprintf(&out, "%-14s %s\n", s.Name, p.describe(s))
	}
	return out.String()
}

func (p *Progress) describe(s stepProgress) string {
	switch s.state {
	case running:
		text := fmt.Sprintf("running for %.3f s", (p.watch.elapsed() - s.began).Seconds())
		for _, a := range s.doing {
			text += fmt.Sprintf(", in %s for %d s", a.what, int((p.watch.elapsed() - a.began).Seconds()))
		}
		if s.tries > 0 {
			text += fmt.Sprintf(", tried %d times: %v", s.tries, s.err)
		}
		return text
	case done:
		return fmt.Sprintf("done in %.3f s, at %.3f s", (s.ended - s.began).Seconds(), s.ended.Seconds())
	case failed:
		return fmt.Sprintf("failed after %.3f s: %v", (s.ended - s.began).Seconds(), s.err)
	}
	if missing := p.missing(s.Step); len(missing) > 0 {
		return "waits for " + strings.Join(missing, ", ")
	}
	return "could start now"
}
