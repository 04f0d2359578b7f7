package boot

import (
	"context"
	"sync"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/contain"
)

// past is a deadline that makes a read give up at once.
var past = time.Unix(1, 0)

// offer is the shell that a person can have by Enter while a step keeps
// failing: what heals is tried for ever, and would never open one.
type offer struct {
	attention chan struct{} // the runner's

	mu     sync.Mutex
	cancel context.CancelFunc // of the goroutine that waits for Enter; nil: there is none
	done   chan struct{}      // closed at its end
}

// shellAllowed tells whether the command line allows a shell at all.
func (m *Machine) shellAllowed() bool {
	return m.Plan.Policy.Shell.Given() || len(m.Plan.Policy.Break) > 0
}

// makeOffer says that Enter opens the shell, once, and waits for it.
func (m *Machine) makeOffer(step string) {
	o := &m.offer
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.cancel != nil || !m.shellAllowed() {
		return
	}
	consoles := openConsoles(activeConsoles)
	if len(consoles) == 0 {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	o.cancel, o.done = cancel, make(chan struct{})
	m.Log.Errorf("%s: press Enter for a shell", step)
	done := o.done
	contain.Go("wait for Enter", func() {
		defer close(done)
		_, err := firstEnter(ctx, consoles)
		for _, f := range consoles {
			_ = f.Close()
		}
		if err == nil {
			select {
			case o.attention <- struct{}{}:
			case <-ctx.Done():
			}
		}
	}, func(err error) { m.Log.Errorf("shell: %v", err) })
}

// stopOffer takes the offer back, so that nobody reads from the consoles any
// more and a new one can be made.
func (m *Machine) stopOffer() {
	o := &m.offer
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.cancel != nil {
		o.cancel()
		<-o.done
		o.cancel = nil
	}
}
