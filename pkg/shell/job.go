package shell

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"

	"github.com/iscsiroot/iscsiroot/pkg/contain"
	"github.com/iscsiroot/iscsiroot/pkg/shell/verb"
)

// job is a statement in the background.
type job struct {
	number int
	text   string
	cancel context.CancelFunc
	done   chan struct{}
	err    error // of its end, once done is closed
}

func (j *job) running() bool {
	select {
	case <-j.done:
		return false
	default:
		return true
	}
}

func (j *job) String() string {
	state := "running"
	if !j.running() {
		state = "done"
		if j.err != nil {
			state = j.err.Error()
		}
	}
	return fmt.Sprintf("[%d] %-10s %s", j.number, state, j.text)
}

// jobs are the jobs whose end was not reported yet.
type jobs struct {
	mu   sync.Mutex // guards the rest
	list []*job
	last int
}

func (js *jobs) add(text string, cancel context.CancelFunc) *job {
	js.mu.Lock()
	defer js.mu.Unlock()
	js.last++
	j := &job{number: js.last, text: text, cancel: cancel, done: make(chan struct{})}
	js.list = append(js.list, j)
	return j
}

// all returns the jobs, and forget removes one.
func (js *jobs) all() []*job {
	js.mu.Lock()
	defer js.mu.Unlock()
	return append([]*job(nil), js.list...)
}

func (js *jobs) forget(gone *job) {
	js.mu.Lock()
	defer js.mu.Unlock()
	var keep []*job
	for _, j := range js.list {
		if j != gone {
			keep = append(keep, j)
		}
	}
	js.list = keep
	if len(keep) == 0 {
		js.last = 0
	}
}

// find returns the job "%2" or "2"; "" is the last job.
func (js *jobs) find(name string) (*job, error) {
	list := js.all()
	if name == "" && len(list) > 0 {
		return list[len(list)-1], nil
	}
	for _, j := range list {
		if strconv.Itoa(j.number) == strings.TrimPrefix(name, "%") {
			return j, nil
		}
	}
	return nil, fmt.Errorf("no job %q", name)
}

// end ends all jobs when the shell ends.
func (js *jobs) end() {
	for _, j := range js.all() {
		j.cancel()
		<-j.done
	}
}

// jobKey marks the context of a job.
type jobKey struct{}

// startJob runs a statement in the background, without input. Its goroutine ends with the
// statement; jobs.end cancels it and waits.
func (s *shell) startJob(text string, stmt *syntax.Stmt) {
	from, to := stmt.Pos().Offset(), min(stmt.End().Offset(), uint(len(text)))
	sub := s.runner.Subshell()
	if err := interp.StdIO(nil, s.out, s.out)(sub); err != nil {
		s.printErr("%v", err)
		return
	}
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), jobKey{}, true))
	j := s.jobs.add(strings.TrimSpace(text[from:to]), cancel)
	alone := *stmt
	alone.Background = false
	_, _ = fmt.Fprintf(s.out, "[%d]\n", j.number)
	contain.Go("", func() { j.run(ctx, sub, &alone) }, nil)
}

// run runs the job to its end. A panic in it becomes its error.
func (j *job) run(ctx context.Context, sub *interp.Runner, stmt *syntax.Stmt) {
	defer close(j.done)
	defer j.cancel()
	err := contain.Call("", func() error { return sub.Run(ctx, stmt) })
	if ctx.Err() != nil {
		err = errors.New("ended")
	}
	j.err = err
}

// reportJobs prints the jobs that have ended since the last line.
func (s *shell) reportJobs() {
	for _, j := range s.jobs.all() {
		if !j.running() {
			_, _ = fmt.Fprintln(s.out, j)
			s.jobs.forget(j)
		}
	}
}

// showJobs is the verb jobs.
func (s *shell) showJobs(_ context.Context, c *verb.Call) error {
	for _, j := range s.jobs.all() {
		if err := c.Printf("%s\n", j); err != nil {
			return err
		}
	}
	return nil
}

// fg waits for a job as if it had been in the foreground: Ctrl-C ends it.
func (s *shell) fg(ctx context.Context, c *verb.Call) error {
	j, err := s.jobs.find(strings.Join(c.Args, " "))
	if err != nil {
		return err
	}
	if err := c.Printf("%s\n", j.text); err != nil {
		return err
	}
	defer s.jobs.forget(j)
	select {
	case <-j.done:
		return j.err
	case <-ctx.Done():
		j.cancel()
		<-j.done
		return ctx.Err()
	}
}

// wait waits for all jobs, or for those named.
func (s *shell) wait(ctx context.Context, c *verb.Call) error {
	list := s.jobs.all()
	if len(c.Args) > 0 {
		list = nil
		for _, name := range c.Args {
			j, err := s.jobs.find(name)
			if err != nil {
				return err
			}
			list = append(list, j)
		}
	}
	for _, j := range list {
		select {
		case <-j.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// kill ends jobs given as %N and passes other arguments to the verb of that name.
func (s *shell) kill(next verb.Verb) func(context.Context, *verb.Call) error {
	return func(ctx context.Context, c *verb.Call) error {
		var rest []string
		for _, arg := range c.Args {
			if !strings.HasPrefix(arg, "%") {
				rest = append(rest, arg)
				continue
			}
			j, err := s.jobs.find(arg)
			if err != nil {
				return err
			}
			j.cancel()
		}
		if len(rest) == 0 && len(c.Args) > 0 {
			return nil
		}
		c.Args = rest
		return next.Run(ctx, c)
	}
}
