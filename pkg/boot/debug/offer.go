package debug

import (
	"context"
	"sync"

	"github.com/iscsiroot/iscsiroot/pkg/contain"
)

// offer is the offer of a shell by Enter while a step keeps failing: a retryable error is retried
// without end, so it never opens one by itself.
type offer struct {
	attention chan struct{} // the runner's

	mu     sync.Mutex         // guards the rest; held while done is waited for
	cancel context.CancelFunc // of the goroutine that waits for Enter; nil: there is none
	done   chan struct{}      // closed at its end
}

// allowed reports whether the command line allows a shell at all.
func (s *Shell) allowed() bool {
	return s.m.Plan.Policy.Shell.Given() || len(s.m.Plan.Policy.Break) > 0
}

// OfferShell shows once that Enter opens the shell, and waits for Enter. The goroutine that waits
// ends by Enter, or by stopOffer, which waits for its end.
func (s *Shell) OfferShell(step string) {
	o := &s.offer
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.cancel != nil || !s.allowed() {
		return
	}
	consoles := openConsoles(activeConsoles)
	if len(consoles) == 0 {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	o.cancel, o.done = cancel, make(chan struct{})
	s.m.Log.Errorf("%s: press Enter for a shell", step)
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
	}, func(err error) { s.m.Log.Errorf("shell: %v", err) })
}

// stopOffer withdraws the offer: the consoles are no longer read, and a new offer can be made.
func (s *Shell) stopOffer() {
	o := &s.offer
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.cancel != nil {
		o.cancel()
		<-o.done
		o.cancel = nil
	}
}
