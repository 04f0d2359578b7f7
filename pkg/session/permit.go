package session

import (
	"context"
	"errors"
	"fmt"
)

// Step is what a login asks of the kernel that takes a connection away from another program which
// logs the same session in.
type Step string

// The steps.
const (
	StepStop Step = "stop"
	StepBind Step = "bind"
)

// ErrNotPermitted says that a step was not made.
var ErrNotPermitted = errors.New("another program logs the session in")

// permitKey is the key of a context's permit.
type permitKey struct{}

// WithPermit makes a context in which Relogin asks permit right before each step. After an error,
// which wraps ErrNotPermitted, nothing more is done to the kernel's connection, not even to clean
// up. Any goroutine may call permit.
func WithPermit(ctx context.Context, permit func(Step) error) context.Context {
	return context.WithValue(ctx, permitKey{}, permit)
}

// Permitted asks the permit of a context; without one every step is permitted.
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
// be. Kernels before 5.12 do not tell of the latter.
func (s *Session) Bound() (bool, error) {
	state, err := s.kernel.ConnState()
	return state == "bound" || state == "up", err
}
