package mirrors

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/recovery"
	"github.com/iscsiroot/iscsiroot/pkg/redundancy"
)

// rig is a raid1 on the sessions 1 and 2, and a disk on session 3.
type rig struct {
	t      *testing.T
	keeper *Keeper

	mu       sync.Mutex
	up       map[uint32]bool
	since    map[uint32]time.Time // when it went down
	member   map[uint32]bool      // it is one that is in sync
	passive  bool
	beside   string // what else is on the disk of session 2
	waiting  int    // commands of session 1
	done     uint64 // the same
	works    bool   // one is done between two checks
	replaced []uint32
	at       []time.Duration // when
	unended  error           // of Continue
	began    time.Time
	log      []string
}

const timeout = 10 * time.Second

// inTime runs a Keeper and a test in synthetic time.
func inTime(t *testing.T, timeout time.Duration, test func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, up: map[uint32]bool{1: true, 2: true, 3: true}, since: map[uint32]time.Time{}, member: map[uint32]bool{1: true, 2: true}, began: time.Now()}
		r.keeper = New(Config{Timeout: timeout, Use: r.use, Down: r.down, Replace: r.replace, Continue: r.goOn, Progress: r.progress, Log: r})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); r.keeper.Run(ctx) }()
		r.tell()
		test(r)
		cancel()
		<-ended
	})
}

// tell gives the Keeper the sessions' state.
func (r *rig) tell() {
	r.mu.Lock()
	var all []recovery.Status
	for sid := range uint32(3) {
		sid++
		s := recovery.Status{SID: sid, Name: fmt.Sprintf("iqn.t:%d", sid), Up: r.up[sid], Passive: r.passive}
		if !s.Up {
			s.Tried = time.Since(r.since[sid])
			s.Down = s.Tried + 45*time.Second // it was silent before
		}
		all = append(all, s)
	}
	r.mu.Unlock()
	r.keeper.Update(all)
}

// set changes whether a session is up.
func (r *rig) set(sid uint32, up bool) {
	r.mu.Lock()
	r.up[sid], r.since[sid] = up, time.Now()
	r.mu.Unlock()
	r.tell()
}

func (r *rig) use(sid uint32, down []uint32) (u redundancy.Use) {
	r.mu.Lock()
	defer r.mu.Unlock()
	other := 3 - sid
	switch {
	case sid == 3:
		u.Fails = []string{"sdc"}
	case !r.member[sid]:
	case r.member[other] && !slices.Contains(down, other):
		u.Arrays = []string{"md0"}
		if r.beside != "" {
			u.Fails = []string{r.beside}
		}
	default:
		u.Fails = []string{"md0"}
	}
	return u
}

func (r *rig) down() (out []uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for sid, up := range r.up {
		if !up {
			out = append(out, sid)
		}
	}
	return out
}

// replace makes the member fail. The same id goes on with the new session.
func (r *rig) replace(sid uint32, arrays []string) (uint32, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Equal(arrays, []string{"md0"}) {
		r.t.Errorf("ended for %q", arrays)
	}
	r.replaced, r.at = append(r.replaced, sid), append(r.at, time.Since(r.began))
	r.member[sid] = false
	return sid + 10, nil
}

func (r *rig) progress(sid uint32) (int, uint64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case sid == 3: // of no array
		return 1, 0, nil
	case sid == 1 && r.works:
		r.done++
	}
	return r.waiting, r.done, nil
}

func (r *rig) goOn() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.unended
}

func (r *rig) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log = append(r.log, fmt.Sprintf(format, args...))
}
func (r *rig) Warnf(format string, args ...any) { r.Errorf(format, args...) }
func (r *rig) Infof(format string, args ...any) { r.Errorf(format, args...) }

// logged returns what was logged so far.
func (r *rig) logged() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.log)
}

// ended checks which sessions were ended so far.
func (r *rig) ended(what string, want ...uint32) {
	r.t.Helper()
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Equal(r.replaced, want) {
		r.t.Errorf("%s: ended %d, want %d", what, r.replaced, want)
	}
}

// A leg's session is ended after the time-out, once, and not before.
func TestLegEnds(t *testing.T) {
	inTime(t, timeout, func(r *rig) {
		time.Sleep(time.Minute)
		r.set(2, false)
		time.Sleep(timeout - time.Millisecond)
		r.ended("before the time-out")
		time.Sleep(2 * time.Millisecond)
		r.ended("after it", 2)
		time.Sleep(time.Hour)
		r.tell()
		r.ended("much later", 2)
		want := []string{
			"session 2 to iqn.t:2: down for 55 s, and md0 works without its disks: ending the session",
			"session 2 to iqn.t:2: ended: session 12 takes its place, and is logged in when the target answers",
		}
		if !slices.Equal(r.log, want) {
			t.Errorf("log\n%s", strings.Join(r.log, "\n"))
		}
	})
}

// A session that comes back in time is not ended.
func TestShortOutage(t *testing.T) {
	inTime(t, timeout, func(r *rig) {
		for range 3 {
			r.set(2, false)
			time.Sleep(timeout - time.Second)
			r.set(2, true)
			time.Sleep(time.Second)
		}
		time.Sleep(time.Minute)
		r.ended("short outages")
	})
}

// While both legs are down none is ended, however long that is. When one comes back, and stays, the
// other one is.
func TestBothLegsDown(t *testing.T) {
	inTime(t, timeout, func(r *rig) {
		r.set(2, false)
		time.Sleep(5 * time.Second)
		r.set(1, false)
		time.Sleep(time.Hour)
		r.ended("both down")
		r.set(2, true)
		time.Sleep(timeout - recheck)
		r.ended("one is back, and may not work yet")
		time.Sleep(2 * recheck)
		r.ended("one is back", 1)
		if len(r.log) != 2 {
			t.Errorf("log\n%s", strings.Join(r.log, "\n"))
		}
	})
}

// The last leg is not ended, and can be as soon as the other one is in sync, without an event.
func TestLastLeg(t *testing.T) {
	inTime(t, timeout, func(r *rig) {
		r.mu.Lock()
		r.member[1] = false
		r.mu.Unlock()
		r.set(2, false)
		time.Sleep(time.Hour)
		r.ended("the other one is being rebuilt")
		r.mu.Lock()
		r.member[1] = true
		r.mu.Unlock()
		time.Sleep(recheck)
		r.ended("it is in sync", 2)
	})
}

// A disk without redundancy, a session of iscsid's, and a time-out of 0 end nothing.
func TestNotEnded(t *testing.T) {
	inTime(t, timeout, func(r *rig) {
		r.set(3, false)
		time.Sleep(time.Hour)
		r.ended("a single disk")
		r.passive = true
		r.set(2, false)
		time.Sleep(time.Hour)
		r.ended("iscsid is to log it in")
		want := "session 2 to iqn.t:2: not ended: iscsid is to log it in, and iscsi_mirror_tmo has no effect on it: md0 may wait for its disks: stop iscsid"
		if len(r.log) != 1 || r.log[0] != want {
			t.Errorf("log\n%s", strings.Join(r.log, "\n"))
		}
	})
	inTime(t, 0, func(r *rig) {
		r.set(2, false)
		time.Sleep(time.Hour)
		r.ended("never")
	})
}

// A leg is kept while the commands of the other one wait and none completes, also where one did
// long ago. That is logged once. It is ended when one completes, or none waits.
func TestOtherLegIsStuck(t *testing.T) {
	for name, change := range map[string]func(r *rig){
		"one completes": func(r *rig) { r.done++ },
		"none waits":    func(r *rig) { r.waiting = 0 },
	} {
		inTime(t, timeout, func(r *rig) {
			r.mu.Lock()
			r.waiting, r.done = 2, 70
			r.mu.Unlock()
			r.set(2, false)
			time.Sleep(timeout + stuckLogged - recheck/2)
			r.ended(name + ": the other leg is stuck")
			if got := r.logged(); len(got) > 0 {
				t.Errorf("%s: logged %q", name, got)
			}
			time.Sleep(time.Hour)
			r.ended(name + ": for an hour")
			want := "session 2 to iqn.t:2: not ended: the other disks of md0 do not complete any command: see the logs of their targets"
			if got := r.logged(); !slices.Equal(got, []string{want}) {
				t.Errorf("%s: logged %q", name, got)
			}
			r.mu.Lock()
			change(r)
			r.mu.Unlock()
			time.Sleep(recheck)
			r.ended(name, 2)
		})
	}
}

// A leg whose commands wait because it is busy is one that works, at the second check of an outage.
func TestOtherLegIsBusy(t *testing.T) {
	inTime(t, timeout, func(r *rig) {
		r.mu.Lock()
		r.waiting, r.works = 30, true
		r.mu.Unlock()
		r.set(2, false)
		time.Sleep(timeout + recheck/2)
		r.ended("whether the other leg works is not known")
		time.Sleep(recheck)
		r.ended("it does", 2)
		r.mu.Lock()
		r.member[2], r.works = true, false
		r.mu.Unlock()
		r.set(2, true)
		time.Sleep(time.Hour)
		r.mu.Lock()
		r.done++
		r.mu.Unlock()
		r.set(2, false)
		time.Sleep(timeout + time.Minute)
		r.ended("a command completed long ago", 2)
	})
}

// What keeps a session of a mirror from being ended is logged once.
func TestBesideAMirror(t *testing.T) {
	inTime(t, timeout, func(r *rig) {
		r.mu.Lock()
		r.beside = "sdb2"
		r.mu.Unlock()
		r.set(2, false)
		time.Sleep(time.Hour)
		r.ended("another partition is in use")
		if want := "session 2 to iqn.t:2: not ended: sdb2 is in use and cannot work without its disks"; len(r.log) != 1 || r.log[0] != want {
			t.Errorf("log\n%s", strings.Join(r.log, "\n"))
		}
	})
}

// What is not ended yet is ended first, and an error is logged once.
func TestContinue(t *testing.T) {
	inTime(t, timeout, func(r *rig) {
		r.mu.Lock()
		r.unended = errors.New("no memory")
		r.mu.Unlock()
		r.set(2, false)
		time.Sleep(time.Minute)
		r.ended("while one is not done")
		if !slices.Equal(r.log, []string{"mirrors: no memory"}) {
			t.Errorf("log %q", r.log)
		}
		r.mu.Lock()
		r.unended = nil
		r.mu.Unlock()
		time.Sleep(recheck)
		r.ended("when it is", 2)
	})
}
