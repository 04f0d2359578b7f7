package session

import (
	"context"
	"errors"
	"fmt"
)

// Step is a request to the kernel that would take the connection from another program that logs in
// to the same session.
type Step string

// The steps.
const (
	StepStop Step = "stop"
	StepBind Step = "bind"
)

// ErrNotPermitted is the error of a step that was not permitted.
var ErrNotPermitted = errors.New("another program logs in to the session")

// permitKey is the key of a context's permit function.
type permitKey struct{}

// WithPermit returns a context in which Relogin calls permit immediately before each step. After an
// error, which wraps ErrNotPermitted, nothing more is done to the kernel's connection, not even to
// clean up. Any goroutine may call permit.
func WithPermit(ctx context.Context, permit func(Step) error) context.Context {
	return context.WithValue(ctx, permitKey{}, permit)
}

// Permitted calls the permit function of a context; without one every step is permitted.
func Permitted(ctx context.Context, step Step) error {
	permit, ok := ctx.Value(permitKey{}).(func(Step) error)
	if !ok {
		return nil
	}
	if err := permit(step); err != nil {
		return fmt.Errorf("%s connection: %w", step, err)
	}
	return nil
}

// Bound reads from the kernel whether the session has a connection that is logged in or about to
// be. Kernels before 5.12 do not report the latter.
func (s *Session) Bound() (bool, error) {
	state, err := s.kernel.ConnState()
	return state == "bound" || state == "up", err
}
