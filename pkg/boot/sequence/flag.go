package sequence

import (
	"context"
	"sync"

	"github.com/iscsiroot/iscsiroot/pkg/contain"
)

// Flag is an event that happens once, and that goroutines can wait for. The zero value has not
// happened.
type Flag struct {
	mu     sync.Mutex      // guards the rest; only happen is called under it
	ctx    context.Context // ends when it happens; nil: Context was not called
	happen context.CancelFunc
}

// Context returns a context that ends when the flag is set.
func (f *Flag) Context() context.Context {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.locked()
}

// locked is Context; mu is held.
func (f *Flag) locked() context.Context {
	if f.ctx == nil {
		f.ctx, f.happen = context.WithCancel(context.Background())
	}
	return f.ctx
}

// Set notes that it has happened.
func (f *Flag) Set() {
	f.mu.Lock()
	defer f.mu.Unlock()
	_ = f.locked()
	f.happen()
}

// IsSet reports whether it has happened.
func (f *Flag) IsSet() bool { return f.Context().Err() != nil }

// Reset clears the flag.
func (f *Flag) Reset() {
	if f.IsSet() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.ctx, f.happen = nil, nil
	}
}

// Until returns a context that ends when the flag is set, or parent ends.
func (f *Flag) Until(parent context.Context) (ctx context.Context, cancel func()) {
	ctx, end := context.WithCancel(parent)
	stop := context.AfterFunc(f.Context(), contain.Func("end of a wait", end, nil))
	return ctx, func() { stop(); end() }
}
