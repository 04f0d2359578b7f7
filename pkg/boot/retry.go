package boot

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff is the time between tries: a quarter of a second, doubled up to five
// seconds, each up to half of it more or less: machines that lost power together
// are spread over the whole time after a few tries, and do not come back in step.
type backoff struct{ last time.Duration }

const (
	firstPause = 250 * time.Millisecond
	maxPause   = 5 * time.Second
)

// next returns the next pause.
func (b *backoff) next() time.Duration {
	b.last = min(max(2*b.last, firstPause), maxPause)
	return time.Duration(float64(b.last) * (0.5 + rand.Float64()))
}

// wait sleeps the next pause, or until ctx ends.
func (b *backoff) wait(ctx context.Context) {
	t := time.NewTimer(b.next())
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// When a step that keeps failing is spoken of after the first line.
const (
	secondLine = 10 * time.Second
	everyLine  = time.Minute
)

// nag speaks of a failing step: at once, after ten seconds, and then once a
// minute, and when it is over. Each line but the last is an error, which quiet does
// not hide: a screen that stays black for the first ten seconds looks like a machine
// that is dead.
type nag struct {
	log   Logger
	step  string
	first time.Time
	last  time.Time
	lines int
}

func (n *nag) failed(err error) {
	now := time.Now()
	advice := ""
	if h := hint(err); h != "" {
		advice = ": " + h
	}
	switch {
	case n.lines == 0:
		n.first = now
		n.log.Errorf("%s: %v: trying again%s", n.step, err, advice)
	case n.lines == 1 && now.Sub(n.first) >= secondLine, n.lines > 1 && now.Sub(n.last) >= everyLine:
		n.log.Errorf("%s: still trying after %d s: %v%s", n.step, int(now.Sub(n.first).Seconds()), err, advice)
	default:
		return
	}
	n.last = now
	n.lines++
}

func (n *nag) healed() {
	if n.lines > 0 {
		n.log.Infof("%s: succeeded after %.1f s", n.step, time.Since(n.first).Seconds())
	}
}
