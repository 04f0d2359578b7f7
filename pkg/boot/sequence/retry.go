package sequence

import (
	"context"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/clock"
)

// Backoff is the time between tries: a quarter of a second, doubled up to five seconds, each up to
// half of it more or less, so that machines that lost power together are spread over the whole time
// after a few attempts.
type Backoff struct{ last time.Duration }

// MaxPause is the longest time between two attempts, without the random half.
const MaxPause = 5 * time.Second

// firstPause is the shortest one: a race, such as with a link that is not quite up, is over by
// then.
const firstPause = 250 * time.Millisecond

// next returns the next pause.
func (b *Backoff) next() time.Duration {
	b.last = min(max(2*b.last, firstPause), MaxPause)
	return time.Duration(float64(b.last) * (0.5 + rand.Float64()))
}

// Wait sleeps the next pause, or until ctx ends.
func (b *Backoff) Wait(ctx context.Context) { _ = clock.Sleep(ctx, b.next()) }

// SecondLine is the time from the first line about a failing step to the second.
const SecondLine = 10 * time.Second

// everyLine is the interval of the lines after that.
const everyLine = time.Minute

// RetryLog logs a failing step: immediately, after ten seconds, then once a minute, and when it
// succeeds. Each line but the last is an error, which quiet does not hide: a screen that stays
// black for ten seconds looks like a crash.
type RetryLog struct {
	Log  Logger
	Step string // the first word of each line

	first time.Time
	last  time.Time
	lines int
}

// Failed is called after each attempt that failed.
func (n *RetryLog) Failed(err error) {
	now := time.Now()
	advice := ""
	text := strings.TrimPrefix(err.Error(), n.Step+": ") // "network: network:"
	if h := Hint(err); h != "" {
		advice = ": " + h
	}
	switch {
	case n.lines == 0:
		n.first = now
		n.Log.Errorf("%s: %s: trying again%s", n.Step, text, advice)
	case n.lines == 1 && now.Sub(n.first) >= SecondLine, n.lines > 1 && now.Sub(n.last) >= everyLine:
		n.Log.Errorf("%s: still trying after %d s: %s%s", n.Step, int(now.Sub(n.first).Seconds()), text, advice)
	default:
		return
	}
	n.last = now
	n.lines++
}

// Succeeded is called after an attempt that did not fail.
func (n *RetryLog) Succeeded() {
	if n.lines > 0 {
		n.Log.Infof("%s: succeeded after %.1f s", n.Step, time.Since(n.first).Seconds())
	}
}
