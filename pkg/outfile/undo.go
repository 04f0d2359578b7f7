package outfile

import (
	"context"
	"slices"
	"sync"
)

// Undo is what a run has to take back when a signal ends it. The zero value holds nothing. Its
// methods may be called from any goroutine.
type Undo struct {
	mu     sync.Mutex // guards the rest
	steps  []*func()
	closed bool
}

// undoKey is the key of an Undo in a context.
type undoKey struct{}

// WithUndo returns a context by which [Register] finds u.
func WithUndo(ctx context.Context, u *Undo) context.Context {
	return context.WithValue(ctx, undoKey{}, u)
}

// Register adds a step to the Undo of ctx. A caller registers before it makes anything, and calls
// release when there is nothing to take back any more. The step may run while the caller is still
// running, and the process ends after it. Without an Undo in ctx there is nothing to do. The error
// is that of ctx, or [context.Canceled] after [Undo.Close].
func Register(ctx context.Context, step func()) (release func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	u, ok := ctx.Value(undoKey{}).(*Undo)
	if !ok {
		return func() {}, nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return nil, context.Canceled
	}
	added := &step
	u.steps = append(u.steps, added)
	return func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.steps = slices.DeleteFunc(u.steps, func(s *func()) bool { return s == added })
	}, nil
}

// Close lets nothing more be registered, and returns how many steps there are.
func (u *Undo) Close() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.closed = true
	return len(u.steps)
}

// Run runs the steps that are not released, the last one first.
func (u *Undo) Run() {
	u.mu.Lock()
	steps := slices.Clone(u.steps)
	u.mu.Unlock()
	for _, step := range slices.Backward(steps) {
		(*step)()
	}
}
