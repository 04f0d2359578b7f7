package sequence

import (
	"context"
	"fmt"
	"time"
)

// Step is one line of the boot.
type Step struct {
	Name  string
	Needs []string // names of the steps that must be done before
	// Timeout bounds one attempt; 0: none.
	Timeout time.Duration
	// Grace is for how long an error that is not retryable is retried too: a device may appear
	// late.
	Grace time.Duration
	Run   func(context.Context) error
}

// Failure is a step that failed permanently.
type Failure struct {
	Step    string
	Err     error
	Hint    string // what to do, where Err does not contain it
	Elapsed time.Duration
}

// Error implements error.
func (f *Failure) Error() string {
	return fmt.Sprintf("step %s failed after %.1f s: %v", f.Step, f.Elapsed.Seconds(), f.Err)
}

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }
