package shutdown

import (
	"context"
	"fmt"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/contain"
)

// LateError says that something took longer than it may.
type LateError struct{ After time.Duration }

// Error implements error.
func (e *LateError) Error() string { return fmt.Sprintf("no end after %d s", int(e.After.Seconds())) }

// Within runs f for so long at the most. What is still at it then hangs in the kernel and is left
// there: ctx is for what can be told to stop.
func Within(limit time.Duration, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	done := make(chan error, 1)
	// It ends when f returns; done has a place for its result when nothing reads it.
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

// progressEvery is how often it is looked whether the disks work.
const progressEvery = 500 * time.Millisecond

// working runs f for as long as the disks work: it is late when they have done nothing for stall.
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
