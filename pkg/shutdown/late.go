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
	return await(s, stall, start(f), func() bool { return false })
}

// start runs f in the background, in a goroutine that ends when f returns.
func start(f func() error) <-chan error {
	done := make(chan error, 1) // the result may not be read
	contain.Go("", func() { done <- f() }, func(err error) { done <- err })
	return done
}

// await waits for the result of start as long as the disks make progress. Whenever it has waited
// for stall, it calls help, and goes on for as long again if that has done something.
func await(s System, stall time.Duration, done <-chan error, help func() bool) error {
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	last, since := s.Progress(), time.Now()
	asked := since
	for {
		select {
		case err := <-done:
			return err
		case now := <-tick.C:
			if p := s.Progress(); p != last {
				last, since = p, now
			}
			late := now.Sub(since) >= stall
			if late || now.Sub(asked) >= stall {
				if help() { // which takes time
					since, late = time.Now(), false
				}
				asked = time.Now()
			}
			if late {
				return &LateError{stall}
			}
		}
	}
}

// patiently is working for what a mirror with a dead member, or a multipath map without a path, may
// hold up: when it has lasted for stall, the sessions that can be spared are ended, so that their
// commands fail and the mirror goes on, and the I/O of such maps fails. Progress does not count for
// that: it may be that of other disks, as of another array's resync.
func patiently(s System, stall time.Duration, log Logger, f func() error) error {
	return await(s, stall, start(f), func() bool {
		ended := endSpare(s, log)
		return failMaps(s, false, log) || ended
	})
}

// failMaps has the I/O of multipath maps fail, and reports whether that of one waited.
func failMaps(s System, all bool, log Logger) bool {
	out := make(chan []string, 1) // the result may not be read
	if err := Within(terminateTime, func(context.Context) error { out <- s.FailMaps(all); return nil }); err != nil {
		return false
	}
	names := <-out
	for _, name := range names {
		log.Errorf("shutdown: map %s: no path works: its I/O fails: what was not written yet is lost", name)
	}
	return len(names) > 0
}

// endSpare ends the sessions that can be spared, and reports whether one has ended. The agent,
// which ends them after a time of its own, would log in to them again; what is left of a shutdown
// is short.
func endSpare(s System, log Logger) bool {
	spare := make(chan []Session, 1)
	if err := Within(terminateTime, func(context.Context) error { spare <- s.Spare(); return nil }); err != nil {
		return false
	}
	all := <-spare
	if len(all) == 0 {
		return false
	}
	s.EndAgent()
	ended := false
	for _, one := range all {
		log.Warnf("shutdown: %s: down, and a mirror works without its disk: dropping the session", one)
		if err := Within(terminateTime, one.Terminate); err != nil {
			log.Warnf("shutdown: %s: %v", one, err)
			continue
		}
		ended = true
	}
	return ended
}
