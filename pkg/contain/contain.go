// Package contain keeps a panic in one goroutine from ending the process. A goroutine's panic ends
// the whole program, and the end of PID 1 ends the kernel: so every goroutine of what PID 1 links
// is started through this package, with a handler of its panics (a test in integration/repo
// verifies that).
//
// A fatal error of the runtime, such as a concurrent map write, cannot be contained.
package contain

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
)

// PanicError is a panic that was contained: a bug of this program or of a library.
type PanicError struct {
	Where string // the goroutine's name; empty where the caller names it anyway
	Value any    // of the panic
	Stack string // of the goroutine, several lines
}

// Error implements error. The stack is for the log, line by line.
func (e *PanicError) Error() string {
	if e.Where == "" {
		return fmt.Sprintf("internal error: panic: %v", e.Value)
	}
	return fmt.Sprintf("internal error: panic in %s: %v", e.Where, e.Value)
}

// Call runs f in this goroutine. A panic of f is returned as a *PanicError.
func Call(where string, f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Where: where, Value: v, Stack: strings.TrimSpace(string(debug.Stack()))}
		}
	}()
	return f()
}

// Func returns f so that a panic in it goes to failed as a *PanicError, for sync.WaitGroup.Go,
// time.AfterFunc and context.AfterFunc. failed runs in the goroutine that panicked, before that
// goroutine ends; nil: the panic is dropped, which only a goroutine may do that nothing waits for.
func Func(where string, f func(), failed func(error)) func() {
	return func() {
		err := Call(where, func() error { f(); return nil })
		if err != nil && failed != nil {
			failed(err)
		}
	}
}

// Go runs f, wrapped as by Func, in a new goroutine. It ends when f returns: the caller says beside
// the call what makes f return.
func Go(where string, f func(), failed func(error)) { go Func(where, f, failed)() }

// Within runs f, which ctx does not end, such as a system call, in a goroutine of its own, and
// returns its error, or that of ctx once it has ended. f is left there then, until it returns: what
// it writes to must not be read any more. If it still succeeds, late is called in its goroutine, to
// give back what f has taken; nil: that is nothing.
func Within(ctx context.Context, f func() error, late func()) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	done := make(chan error) // nothing is sent to a caller that has returned
	answer := func(err error) {
		select {
		case done <- err:
		case <-ctx.Done():
			if err == nil && late != nil {
				late()
			}
		}
	}
	Go("", func() { answer(f()) }, answer)
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
