package calls

import (
	"context"
	"fmt"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/contain"
	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// slack is how long a more exact error may come after the limit.
const slack = time.Second

// Repeater is the sessions: Ask repeats work where one was lost meanwhile.
type Repeater interface {
	// RepeatIfLost does work that sends commands to the target of a session, and repeats it
	// while the session was lost in between. lost reports that it was lost before.
	RepeatIfLost(ctx context.Context, s *session.Session, work func(lost bool) error) error
}

// Ask calls work, which sends commands to the target of a session, by RepeatIfLost. Its system
// calls do not return while the target does not respond, so it runs in a goroutine of its own: if
// it takes longer than limit, it is left there, and ends when the system call does. Its result is
// dropped then, so it must not write to shared variables; its context is cancelled, so that it
// begins no other call. A call that is left there delays the start of the real init (fs/exec.c:
// de_thread), so none is begun for a session that is down; Set.List lists those that are left.
func Ask[T any](ctx context.Context, c *Set, all Repeater, s *session.Session, limit time.Duration, what string, work func(context.Context) (T, error)) (T, error) {
	defer sequence.Blocking(ctx, what)()
	type answer struct {
		value T
		err   error
	}
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	done := make(chan answer, 1)
	end := c.Begin(what + " at " + s.Target)
	contain.Go("", func() {
		defer end()
		var a answer
		a.err = all.RepeatIfLost(limited, s, func(bool) (err error) {
			a.value, err = work(limited)
			return err
		})
		done <- a
	}, func(err error) { done <- answer{err: err} })
	late := time.NewTimer(limit + slack)
	defer late.Stop()
	var none T
	select {
	case a := <-done:
		return a.value, a.err
	case <-late.C:
		return none, sequence.AsRetryable(fmt.Errorf("target %s does not answer for %d s", s.Target, int(limit.Seconds())))
	case <-ctx.Done():
		return none, ctx.Err()
	}
}
