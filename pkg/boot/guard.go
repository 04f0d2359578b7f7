package boot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/contain"
	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// unguard leaves all sessions alone.
func (m *Machine) unguard() {
	guard := m.guard.Load()
	if guard == nil {
		return
	}
	for _, s := range m.sessions {
		if err := guard.Remove(s); err != nil {
			m.Log.Debugf("session %d: %v", s.SID, err)
		}
	}
}

// down says in words which sessions are down.
func (m *Machine) down() string {
	if guard := m.guard.Load(); guard != nil {
		return guard.Down()
	}
	return ""
}

// steadily does work that asks the target, and does it again for as long as the
// session was lost meanwhile: what was found then may be incomplete. lost says
// that the session was lost before, in this round or an earlier one. steadily
// waits for a session that is down; if ctx ends first, the error says which one,
// and that it is being recovered.
func (m *Machine) steadily(ctx context.Context, s *session.Session, work func(lost bool) error) error {
	guard := m.guard.Load()
	if guard == nil { // the agent has them, and no outage is known of here
		return work(true)
	}
	for again := false; ; again = true {
		if err := guard.WaitUp(ctx, s); err != nil {
			return err
		}
		before, up, err := guard.Outages(ctx, s)
		if err != nil {
			return err
		}
		if !up { // lost since
			continue
		}
		werr := work(before > 0)
		after, up, err := guard.Outages(context.WithoutCancel(ctx), s)
		switch {
		case err != nil:
			return errors.Join(werr, err)
		case up && after == before && again && werr != nil:
			// A target that has just been started may not have all of it yet.
			return sequence.Temporary(werr)
		case up && after == before:
			return werr
		case ctx.Err() != nil:
			return sequence.Temporary(fmt.Errorf("session %d to %s was lost meanwhile", s.SID, s.Target))
		}
		m.Log.Infof("session %d to %s was lost meanwhile: trying again", s.SID, s.Target)
	}
}

// askSlack is what an error that says more has to come after the time is over.
const askSlack = time.Second

// askTarget does work that asks the target of a session, as steadily does, and has no
// end in the kernel while that does not answer. It runs in a goroutine of its own: if
// it takes longer than limit, it is left there, and ends when the system call does.
// What it returns is dropped then, so it must not write to what others read; its
// context tells it to begin nothing more. A call that is left there holds the start of
// the real init up (loads.go: awaitDrivers), so none is begun for a session that is
// known to be down, and switchRoot warns of those that are left.
func askTarget[T any](ctx context.Context, m *Machine, i int, limit time.Duration, what string, work func(context.Context) (T, error)) (T, error) {
	defer sequence.Doing(ctx, what)()
	type answer struct {
		value T
		err   error
	}
	s := m.sessions[i]
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	done := make(chan answer, 1)
	end := m.calls.begin(what + " at " + s.Target)
	contain.Go("", func() {
		defer end()
		var a answer
		a.err = m.steadily(limited, s, func(bool) (err error) {
			a.value, err = work(limited)
			return err
		})
		done <- a
	}, func(err error) { done <- answer{err: err} })
	late := time.NewTimer(limit + askSlack)
	defer late.Stop()
	var none T
	select {
	case a := <-done:
		return a.value, a.err
	case <-late.C:
		return none, sequence.Temporary(fmt.Errorf("target %s does not answer for %d s", s.Target, int(limit.Seconds())))
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// calls are the calls of askTarget that are under way.
type calls struct {
	mu    sync.Mutex // taken last
	under map[*string]bool
}

func (c *calls) begin(what string) (end func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.under == nil {
		c.under = map[*string]bool{}
	}
	c.under[&what] = true
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.under, &what)
	}
}

// names lists them.
func (c *calls) names() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []string
	for what := range c.under {
		out = append(out, *what)
	}
	slices.Sort(out)
	return out
}
