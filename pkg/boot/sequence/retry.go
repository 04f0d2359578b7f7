package sequence

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/clock"
)

// Backoff is the time between tries: a quarter of a second, doubled up to five seconds, each up to
// half of it more or less: machines that lost power together are spread over the whole time after a
// few tries, and do not come back in step.
type Backoff struct{ last time.Duration }

// MaxPause is the longest time between two tries, but for the half that chance adds.
const MaxPause = 5 * time.Second

// firstPause is the shortest one: what fails at once by a race, such as a link that is not quite
// up, is over by then.
const firstPause = 250 * time.Millisecond

// next returns the next pause.
func (b *Backoff) next() time.Duration {
	b.last = min(max(2*b.last, firstPause), MaxPause)
	return time.Duration(float64(b.last) * (0.5 + rand.Float64()))
}

// Wait sleeps the next pause, or until ctx ends.
func (b *Backoff) Wait(ctx context.Context) { _ = clock.Sleep(ctx, b.next()) }

// SecondLine is when a step that keeps failing is logged after the first line.
const SecondLine = 10 * time.Second

// everyLine is how often it is logged after that.
const everyLine = time.Minute

// RetryLog logs a failing step: at once, after ten seconds, and then once a minute, and when it is
// over. Each line but the last is an error, which quiet does not hide: a screen that stays black
// for the first ten seconds looks like a machine that is dead.
type RetryLog struct {
	Log  Logger
	Step string // the first word of each line

	first time.Time
	last  time.Time
	lines int
}

// Failed is called after each try that failed.
func (n *RetryLog) Failed(err error) {
	now := time.Now()
	advice := ""
	if h := Hint(err); h != "" {
		advice = ": " + h
	}
	switch {
	case n.lines == 0:
		n.first = now
		n.Log.Errorf("%s: %v: trying again%s", n.Step, err, advice)
	case n.lines == 1 && now.Sub(n.first) >= SecondLine, n.lines > 1 && now.Sub(n.last) >= everyLine:
		n.Log.Errorf("%s: still trying after %d s: %v%s", n.Step, int(now.Sub(n.first).Seconds()), err, advice)
	default:
		return
	}
	n.last = now
	n.lines++
}

// Succeeded is called once a try did not fail.
func (n *RetryLog) Succeeded() {
	if n.lines > 0 {
		n.Log.Infof("%s: succeeded after %.1f s", n.Step, time.Since(n.first).Seconds())
	}
}
