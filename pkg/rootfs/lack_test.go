package rootfs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/clock"
	"github.com/iscsiroot/iscsiroot/pkg/md"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/reads"
	"github.com/iscsiroot/iscsiroot/pkg/uevent"
)

// comingSessions are sessions that log in one after the other.
type comingSessions struct {
	fakeSessions
	began time.Time
	after []time.Duration // when each logs in; 0: never
	down  string          // see Sessions.Down
}

// coming gives a Storage such sessions.
func coming(st *Storage, after ...time.Duration) *comingSessions {
	c := &comingSessions{fakeSessions: fakeSessions{list: someSessions(len(after))}, began: time.Now(), after: after}
	st.Sessions = c
	return c
}

func (c *comingSessions) Up(i int) bool { return c.after[i] > 0 && time.Since(c.began) >= c.after[i] }

func (c *comingSessions) Waiting() (out []int) {
	for i := range c.list {
		if !c.Up(i) {
			out = append(out, i)
		}
	}
	return out
}

func (c *comingSessions) Changed() <-chan struct{} {
	changed := make(chan struct{})
	for i, d := range c.after {
		if d > 0 && !c.Up(i) {
			time.AfterFunc(d-time.Since(c.began), func() { close(changed) })
			break
		}
	}
	return changed
}

func (c *comingSessions) Down() string { return c.down }

// lacking is an absence for want of the members in these slots of arrays.
func lacking(arrays ...*md.MissingError) error {
	e := &notFoundError{}
	for _, a := range arrays {
		e.causes = append(e.causes, fmt.Errorf("sda: %w", a))
	}
	return e
}

func lacks(name string, slots ...int) *md.MissingError {
	return &md.MissingError{Array: name, Level: md.RAID5, Have: 1, Need: 3, Slots: slots, Degradable: true}
}

// The members that an array can do without are waited for 30 s from when they are first seen to be
// missing, and again when others are missing, or a target has logged in.
func TestDegradedWaitBeginsAgain(t *testing.T) {
	const s = time.Second
	for _, tt := range []struct {
		name  string
		after []time.Duration // the logins
		find  func(c *comingSessions, degraded bool) error
		want  time.Duration
		lines int // "activating"
	}{
		{"none comes", []time.Duration{0}, func(_ *comingSessions, degraded bool) error {
			if degraded {
				return nil
			}
			return lacking(lacks("root", 1))
		}, 30 * s, 1},
		{"the legs come one after the other", []time.Duration{40 * s, 46 * s}, func(c *comingSessions, degraded bool) error {
			switch {
			case !c.Up(0):
				return &notFoundError{}
			case !c.Up(1) && !degraded:
				return lacking(lacks("root", 2))
			}
			return nil
		}, 46 * s, 0},
		{"a foreign mirror is degraded first", []time.Duration{60 * s, 0}, func(c *comingSessions, degraded bool) error {
			switch {
			case degraded && c.Up(0):
				return nil
			case degraded:
				return &notFoundError{}
			case c.Up(0):
				return lacking(lacks("foreign", 1), lacks("root", 2))
			}
			return lacking(lacks("foreign", 1))
		}, 90 * s, 2},
	} {
		synctest.Test(t, func(t *testing.T) {
			st, log := withSessions(len(tt.after))
			c := coming(st, tt.after...)
			err := st.whileTargetsCome(t.Context(), false, func() error { return tt.find(c, st.degraded) })
			lines := strings.Join(log.Lines(), "\n")
			if took := time.Since(st.Started); err != nil || took != tt.want {
				t.Errorf("%s: %v after %v: %s", tt.name, err, took, lines)
			}
			if n := strings.Count(lines, "activating it without them"); n != tt.lines || !strings.Contains(lines, "for 30 s (30 s left), then it is activated without them") {
				t.Errorf("%s: log is %s", tt.name, lines)
			}
			time.Sleep(time.Hour)
		})
	}
}

// The time of what is missing now does not begin with that of what was missing before, and a search
// that sees both does not begin it again.
func TestDegradedInOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, _ := withSessions(0)
		for i, tt := range []struct {
			err  error
			want time.Duration
		}{
			{lacking(lacks("root", 1, 2)), 30 * time.Second},
			{lacking(lacks("root", 1, 2), lacks("root", 2)), 30 * time.Second},
			{lacking(lacks("root", 1, 2)), 10 * time.Second},
			{lacking(lacks("root", 2)), 10 * time.Second},
			{lacking(lacks("root", 1, 2)), 0},
		} {
			if left, ok := st.degradedIn(tt.err); !ok || left != tt.want || st.degradedDue(tt.err) != (left == 0) {
				t.Errorf("%d: %v, %v", i, left, ok)
			}
			time.Sleep(10 * time.Second)
		}
	})
}

// With rootwait an array that is found degraded during the wait ends it after 30 s.
func TestRootWaitOfDegraded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, _ := withSessions(1)
		coming(st, 40*time.Second)
		st.Uevents = func() Uevents { return quiet{} }
		f := finder{all: func() error {
			if time.Since(st.Started) < 40*time.Second {
				return &notFoundError{}
			}
			return lacking(lacks("root", 1))
		}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		err := st.waitRoot(ctx, f, bootspec.Forever, errors.New("not there"))
		if took := time.Since(st.Started); !st.degradable(err) || took != 70*time.Second {
			t.Errorf("%v after %v", err, took)
		}
	})
}

// lateEvent are Uevents with one event, after 3 s.
type lateEvent struct{}

func (lateEvent) Wait(ctx context.Context, done func(uevent.Event) (bool, error)) error {
	ok, err := done(uevent.Event{})
	if err := clock.Sleep(ctx, 3*time.Second); err != nil {
		return err
	}
	if !ok && err == nil {
		ok, err = done(uevent.Event{Action: "add", Subsystem: "block", DevName: "sdb"})
	}
	if !ok && err == nil {
		<-ctx.Done()
		err = ctx.Err()
	}
	return err
}

// The time begins at the event of the disk with which the array is found.
func TestRootWaitOfDegradedAfterEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, _ := withSessions(0)
		st.Uevents = func() Uevents { return lateEvent{} }
		f := finder{events: true, all: func() error {
			if time.Since(st.Started) < 3*time.Second {
				return &notFoundError{}
			}
			return lacking(lacks("root", 1))
		}}
		err := st.waitRoot(t.Context(), f, bootspec.Forever, errors.New("not there"))
		if took := time.Since(st.Started); !st.degradable(err) || took != 33*time.Second {
			t.Errorf("%v after %v", err, took)
		}
	})
}

// A target that logs in during the search that is the last one is searched first.
func TestDegradedNotBeforeALogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, log := withSessions(0)
		c := coming(st, 35*time.Second, 0)
		err := st.whileTargetsCome(t.Context(), false, func() error {
			if c.Up(0) {
				return nil
			}
			e := lacking(lacks("root", 1))
			st.noteLack(e)
			time.Sleep(40 * time.Second)
			return e
		})
		if lines := strings.Join(log.Lines(), "\n"); err != nil || strings.Contains(lines, "activating it") {
			t.Errorf("%v: %s", err, lines)
		}
	})
}

// Members on a disk whose session is down are not waited for longer than those whose login is
// tried.
func TestSearchOfDegradedEndsWhileASessionIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, log := withSessions(0)
		c := coming(st)
		c.down = "session 8 down for 3 s"
		p := st.newRootSearch("root")
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		err := st.whileTargetsCome(ctx, false, func() error {
			return p.try(ctx, func() error {
				if st.degraded {
					return nil
				}
				e := lacking(lacks("root", 1))
				absenceOf(e).unread = []reads.Unread{{Err: reads.ErrNoSize}}
				return e
			})
		})
		lines := strings.Join(log.Lines(), "\n")
		if took := time.Since(st.Started); err != nil || took < degradedWait || took > degradedWait+10*time.Second || !strings.Contains(lines, "activating it without them") {
			t.Errorf("%v after %v: %s", err, took, lines)
		}
	})
}

// What is optional is not waited for, as a target may never have it; but what is there and lacks
// members it can do without is, and is then activated without them.
func TestOptionalWaitsForMembersOnly(t *testing.T) {
	const s = time.Second
	found := func(_ *comingSessions, degraded bool) error {
		if degraded {
			return nil
		}
		return lacking(lacks("usr", 1))
	}
	for _, tt := range []struct {
		name      string
		after     []time.Duration // the logins
		find      func(c *comingSessions, degraded bool) error
		want      time.Duration
		fails     bool
		activated int
	}{
		{"absent", []time.Duration{10 * s}, func(*comingSessions, bool) error { return &notFoundError{} }, 0, true, 0},
		{"a member is absent", []time.Duration{0}, found, 30 * s, false, 1},
		{"no login is tried", nil, found, 0, false, 1},
		{"its target comes", []time.Duration{10 * s}, func(c *comingSessions, degraded bool) error {
			if c.Up(0) {
				return nil
			}
			return found(c, degraded)
		}, 10 * s, false, 0},
		{"of an array that needs it", []time.Duration{10 * s}, func(*comingSessions, bool) error {
			return lacking(&md.MissingError{Array: "usr", Level: md.RAID0, Have: 1, Need: 2, Slots: []int{1}})
		}, 0, true, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			st, log := withSessions(len(tt.after))
			c := coming(st, tt.after...)
			err := st.whileTargetsCome(t.Context(), true, func() error { return tt.find(c, st.degraded) })
			if took := time.Since(st.Started); (err != nil) != tt.fails || took != tt.want {
				t.Errorf("%s: %v after %v", tt.name, err, took)
			}
			if lines := strings.Join(log.Lines(), "\n"); strings.Count(lines, "activating it without them") != tt.activated {
				t.Errorf("%s: log is %s", tt.name, lines)
			}
			time.Sleep(time.Hour)
		})
	}
}
