package boot

import (
	"context"
	"sync"

	"github.com/iscsiroot/iscsiroot/pkg/contain"
)

// flag is something that happens once, and that others wait for. The zero value
// has not happened.
type flag struct {
	mu     sync.Mutex
	ctx    context.Context // ends when it happens; nil: nothing has asked for it
	happen context.CancelFunc
}

// context returns what ends when the flag is set.
func (f *flag) context() context.Context {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.locked()
}

// locked is context; mu is held.
func (f *flag) locked() context.Context {
	if f.ctx == nil {
		f.ctx, f.happen = context.WithCancel(context.Background())
	}
	return f.ctx
}

func (f *flag) set() {
	f.mu.Lock()
	defer f.mu.Unlock()
	_ = f.locked()
	f.happen()
}

func (f *flag) is() bool { return f.context().Err() != nil }

// reset makes ready for it to happen anew.
func (f *flag) reset() {
	if f.is() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.ctx, f.happen = nil, nil
	}
}

// until returns a context that ends when the flag is set, or parent ends.
func (f *flag) until(parent context.Context) (ctx context.Context, cancel func()) {
	ctx, end := context.WithCancel(parent)
	stop := context.AfterFunc(f.context(), contain.Func("end of a wait", end, nil))
	return ctx, func() { stop(); end() }
}
