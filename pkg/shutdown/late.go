package shutdown

import (
	"context"
	"fmt"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/contain"
)

// LateError reports that a function exceeded its limit.
type LateError struct{ After time.Duration }

// Error implements error.
func (e *LateError) Error() string { return fmt.Sprintf("no end after %d s", int(e.After.Seconds())) }

// Within runs f and waits at most limit for it. If f has not returned then, it hangs in the kernel
// and is left there: its context is cancelled.
func Within(limit time.Duration, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	done := make(chan error, 1)
	// The goroutine ends when f returns; done is buffered, because its result may not be read.
	contain.Go("", func() { done <- f(ctx) }, func(err error) { done <- err })
	select {
	case err := <-done:
		if err != nil && ctx.Err() != nil {
			return &LateError{limit}
		}
		return err
	case <-ctx.Done():
		return &LateError{limit}
	}
}

// progressEvery is the interval at which the progress of the disks is read.
const progressEvery = 500 * time.Millisecond

// working runs f as long as the disks make progress: it is late when they have made none for stall.
func working(s System, stall time.Duration, f func() error) error {
	done := make(chan error, 1)
	contain.Go("", func() { done <- f() }, func(err error) { done <- err })
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	last, since := s.Progress(), time.Now()
	for {
		select {
		case err := <-done:
			return err
		case now := <-tick.C:
			if p := s.Progress(); p != last {
				last, since = p, now
			} else if now.Sub(since) >= stall {
				return &LateError{stall}
			}
		}
	}
}
