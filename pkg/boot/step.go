package boot

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Step is one line of the boot.
type Step struct {
	Name  string
	Needs []string // names of the steps that must be done before
	// Timeout bounds one try; 0: none.
	Timeout time.Duration
	// Patience is for how long an error that does not heal by itself is tried
	// again all the same: a device may still be on its way.
	Patience time.Duration
	Run      func(context.Context) error
}

// Failure is a step that failed for good.
type Failure struct {
	Step    string
	Err     error
	Hint    string // what to do, where Err does not say it
	Elapsed time.Duration
}

// Error implements error.
func (f *Failure) Error() string {
	return fmt.Sprintf("step %s failed after %.1f s: %v", f.Step, f.Elapsed.Seconds(), f.Err)
}

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// heals tells whether err says that a later try can succeed.
func heals(err error) bool {
	var h interface{ Heals() bool }
	return errors.As(err, &h) && h.Heals()
}

// temporary is an error that time may help against.
type temporary struct{ error }

// Heals makes it one.
func (temporary) Heals() bool { return true }

func (t temporary) Unwrap() error { return t.error }

// hint returns what the error says to do.
func hint(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

// hinted is an error with advice.
type hinted struct {
	error
	advice string
}

func (h *hinted) Unwrap() error { return h.error }

// Hint says what to do.
func (h *hinted) Hint() string { return h.advice }

// withHint adds advice to an error.
func withHint(err error, advice string) error { return &hinted{err, advice} }
