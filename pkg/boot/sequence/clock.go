package sequence

import (
	"context"
	"sync"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/contain"
)

// stopwatch counts the time of the boot. It stands still while the shell is open, and with it every
// deadline.
type stopwatch struct {
	mu        sync.Mutex // guards the rest; taken under Progress.mu, and never with deadline.mu
	started   time.Time  // of this run; zero while it stands still
	before    time.Duration
	deadlines map[*deadline]struct{}
}

func newStopwatch() *stopwatch {
	return &stopwatch{started: time.Now(), deadlines: map[*deadline]struct{}{}}
}

// elapsed returns for how long the stopwatch has run.
func (s *stopwatch) elapsed() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.elapsedLocked()
}

func (s *stopwatch) elapsedLocked() time.Duration {
	if s.started.IsZero() {
		return s.before
	}
	return s.before + time.Since(s.started)
}

// stop stops the stopwatch, and resume lets it run again.
func (s *stopwatch) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before, s.started = s.elapsedLocked(), time.Time{}
	for d := range s.deadlines {
		d.timer.Stop()
	}
}

func (s *stopwatch) resume() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.started = time.Now()
	for d := range s.deadlines {
		d.timer.Reset(d.at - s.before)
	}
}

// deadline is a context that ends when the watch has come to a time.
type deadline struct {
	context.Context
	watch *stopwatch
	at    time.Duration
	timer *time.Timer
	done  chan struct{}

	mu  sync.Mutex // guards err, and that done is closed once; no lock is taken under it
	err error
}

// withTimeout is context.WithTimeout by this watch. The caller must call cancel.
func (s *stopwatch) withTimeout(parent context.Context, timeout time.Duration) (ctx context.Context, cancel func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := &deadline{Context: parent, watch: s, at: s.elapsedLocked() + timeout, done: make(chan struct{})}
	d.timer = time.AfterFunc(timeout, contain.Func("deadline", func() { d.end(context.DeadlineExceeded) }, nil))
	if s.started.IsZero() {
		d.timer.Stop()
	}
	s.deadlines[d] = struct{}{}
	stop := context.AfterFunc(parent, contain.Func("deadline", func() { d.end(parent.Err()) }, nil))
	return d, func() {
		stop()
		d.end(context.Canceled)
		s.mu.Lock()
		defer s.mu.Unlock()
		d.timer.Stop()
		delete(s.deadlines, d)
	}
}

func (d *deadline) end(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err == nil {
		d.err = err
		close(d.done)
	}
}

// Deadline implements context.Context: there is none, because the stopwatch can stand still.
func (d *deadline) Deadline() (time.Time, bool) { return d.Context.Deadline() }

// Done implements context.Context.
func (d *deadline) Done() <-chan struct{} { return d.done }

// Err implements context.Context.
func (d *deadline) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}
