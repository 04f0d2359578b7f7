package mirrors

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/recovery"
	"github.com/iscsiroot/iscsiroot/pkg/redundancy"
)

// Logger writes to the kernel's log.
type Logger interface {
	Errorf(format string, args ...any)
	Warnf(format string, args ...any)
	Infof(format string, args ...any)
}

// Config configures a Keeper. The functions are called by the goroutine of Run.
type Config struct {
	// Timeout is for how long the agent tries to log a session in before it is ended; 0: no
	// session is ended.
	Timeout time.Duration
	// Use is as redundancy.Rule.Use.
	Use func(sid uint32, down []uint32) redundancy.Use
	// Down reads from the kernel which sessions are not logged in, of all there are.
	Down func() []uint32
	// Progress reads how many commands of a session's disks are outstanding, and how many have
	// completed; nil: not known.
	Progress func(sid uint32) (waiting int, done uint64, err error)
	// Replace ends a session and makes it anew, and returns the new one's id. Arrays are those
	// that lose members. If it returns 0 without an error the session is logged in, or cannot
	// be ended any more.
	Replace func(sid uint32, arrays []string) (uint32, error)
	// Continue ends what a Replace has begun that has not ended, because of an error or the end
	// of an earlier worker.
	Continue func() error
	Log      Logger
}

// Keeper ends sessions. A nil Keeper does nothing.
type Keeper struct {
	cfg  Config
	wake chan struct{} // of one place
	last string        // the last error that was logged; of Run
	down []uint32      // the sessions that were down at the last check; of Run
	back time.Time     // when one of them was seen to be up again; of Run
	told []uint32      // the sessions about which was logged why they are not ended; of Run
	done samples       // of the commands of sessions that are up; of Run

	mu       sync.Mutex // guards the rest; no call is made under it
	sessions []recovery.Status
	at       time.Time // when they were so
}

// recheck is how long after a check a session is checked again that was not ended: members may be
// in sync, or back, without an event.
const recheck = 2 * time.Second

// New returns a Keeper that has done nothing yet.
func New(cfg Config) *Keeper { return &Keeper{cfg: cfg, wake: make(chan struct{}, 1), at: time.Now()} }

// Update sets the state of the agent's sessions. Any goroutine may call it.
func (k *Keeper) Update(all []recovery.Status) {
	if k == nil {
		return
	}
	k.mu.Lock()
	k.sessions, k.at = slices.Clone(all), time.Now()
	k.mu.Unlock()
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// Run ends sessions until ctx ends.
func (k *Keeper) Run(ctx context.Context) {
	next := time.NewTimer(0)
	defer next.Stop()
	for {
		select {
		case <-k.wake:
		case <-next.C:
		case <-ctx.Done():
			return
		}
		next.Reset(k.check())
	}
}

// check ends the sessions that are due, and returns when to call it again.
func (k *Keeper) check() time.Duration {
	if err := k.cfg.Continue(); err != nil {
		k.warn(err)
		return recheck
	}
	next := recovery.SurveyEvery
	down := k.cfg.Down()
	if slices.ContainsFunc(k.down, func(sid uint32) bool { return !slices.Contains(down, sid) }) {
		k.back = time.Now()
	}
	k.down = down
	k.mu.Lock()
	all, age := k.sessions, time.Since(k.at)
	k.mu.Unlock()
	for _, s := range all {
		if s.Up || s.Ended || k.cfg.Timeout == 0 {
			k.told = slices.DeleteFunc(k.told, func(sid uint32) bool { return sid == s.SID })
			continue
		}
		tried := s.Tried
		if s.Passive { // the agent does not try
			tried = s.Down
		}
		if left := k.cfg.Timeout - tried - age; left > 0 {
			next = min(next, left)
			continue
		}
		use := k.cfg.Use(s.SID, down)
		if use.Idle() {
			continue
		}
		next = min(next, recheck)
		switch {
		case !use.Covered() && len(use.Arrays) > 0:
			k.tell(s, use.Fails)
		case !use.Covered(): // as with one disk: that the session is down is logged
		case s.Passive:
			k.tellPassive(s, use.Arrays)
		case time.Since(k.back) < k.cfg.Timeout: // a target may log in before its disks work
		case !k.cfg.Use(s.SID, append(slices.Clone(down), k.stuck(all, s.SID)...)).Covered():
			k.tellStuck(s, tried+age, use.Arrays)
		default:
			k.replace(s, s.Down+age, use.Arrays)
			down = k.cfg.Down()
			k.down = down
		}
	}
	return next
}

// first reports whether nothing was logged in this outage about why a session is not ended.
func (k *Keeper) first(sid uint32) bool {
	if slices.Contains(k.told, sid) {
		return false
	}
	k.told = append(k.told, sid)
	return true
}

// tellPassive logs that a session is not ended because another program has it, once in an outage.
func (k *Keeper) tellPassive(s recovery.Status, arrays []string) {
	if k.first(s.SID) {
		k.cfg.Log.Warnf("session %d to %s: not ended: iscsid is to log it in, and iscsi_mirror_tmo has no effect on it: %s may wait for its disks: stop iscsid", s.SID, s.Name, strings.Join(arrays, ", "))
	}
}

// tell logs why a session is not ended, once in an outage.
func (k *Keeper) tell(s recovery.Status, fails []string) {
	if !k.first(s.SID) {
		return
	}
	verb := "is"
	if len(fails) > 1 {
		verb = "are"
	}
	k.cfg.Log.Warnf("session %d to %s: not ended: %s %s in use and cannot work without its disks", s.SID, s.Name, strings.Join(fails, ", "), verb)
}

// replace ends a session.
func (k *Keeper) replace(s recovery.Status, down time.Duration, arrays []string) {
	names, work := strings.Join(arrays, ", "), "works"
	if len(arrays) > 1 {
		work = "work"
	}
	k.cfg.Log.Warnf("session %d to %s: down for %.0f s, and %s %s without its disks: ending the session", s.SID, s.Name, down.Seconds(), names, work)
	fresh, err := k.cfg.Replace(s.SID, arrays)
	switch {
	case err != nil:
		k.warn(err)
	case fresh != 0:
		k.cfg.Log.Warnf("session %d to %s: ended: session %d takes its place, and is logged in when the target answers", s.SID, s.Name, fresh)
	}
}

// warn logs an error, unless it is the last one again.
func (k *Keeper) warn(err error) {
	if text := err.Error(); text != k.last {
		k.last = text
		k.cfg.Log.Warnf("mirrors: %s", text)
	}
}
