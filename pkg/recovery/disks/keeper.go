package disks

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/contain"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/runstate"
	"github.com/iscsiroot/iscsiroot/pkg/uevent"
)

// Session is a session whose disks' settings are kept.
type Session interface {
	ID() uint32
	// String names its target.
	String() string
	// Up reports whether the session is logged in.
	Up() (bool, error)
	// IsPath reports whether its disks are paths of a multipath map of the boot.
	IsPath() bool
	// Recovery returns for how many seconds I/O is to be held back while the session is down,
	// and whether that is not written to the kernel yet.
	Recovery() (seconds uint32, due bool)
	// AdoptRecovery records a value that the kernel has already.
	AdoptRecovery(seconds uint32)
	// ReapplyRecovery writes the value of Recovery to the kernel, if necessary at the next
	// login.
	ReapplyRecovery() error
}

// Logger writes to the kernel's log.
type Logger interface {
	Errorf(format string, args ...any)
	Warnf(format string, args ...any)
	Infof(format string, args ...any)
}

// Config configures a Keeper.
type Config struct {
	Sys, Proc string // where sysfs and proc are mounted
	// Sessions lists them. One that takes the place of another has another ID.
	Sessions func() []Session
	// Covered reports whether all that is in use above a session's disks works without them: a
	// mirror repairs an error by its other members, so it is better than a wait; nil: never.
	Covered func(sid uint32) bool
	Past    Memory // of an earlier Keeper
	// LUNsChanged is called when a unit of a session has reported that it has changed, or that
	// the target's LUNs have; may be nil. It may be called while other calls run.
	LUNsChanged func(sid uint32)
	// NextReport returns at which duration of an error the next message is logged, by the
	// duration at the last one.
	NextReport  func(last time.Duration) time.Duration
	SurveyEvery time.Duration // between checks without an event
	// Changed is called, without a lock, when the result of Memory or Report has changed, and
	// after a AdoptRecovery or ReapplyRecovery.
	Changed func()
	// Checked is called, without a lock, after each check of the disks, which follows each
	// uevent of one; may be nil. It reports whether it is to be called again within
	// errorCheckInterval.
	Checked func() (again bool)
	Log     Logger
}

// Keeper keeps the disks' settings. Its state belongs to the goroutine of Run; methods that any
// goroutine may call are documented as such. A nil Keeper reports nothing.
type Keeper struct {
	cfg   Config
	began time.Time
	wake  chan struct{} // of one place
	end   func()        // ends Run; any goroutine may call it
	over  <-chan struct{}

	retries         map[string]*retries // by SCSI address
	health          map[string]*health  // the same
	timers          map[uint32]*timer   // by session
	logged          map[string]string   // the last error that was logged of each thing
	sessionsChanged bool                // a session's recovery time-out has changed
	endWatch        func()              // ends the watch of the timers; nil: there is none

	mu     sync.Mutex // guards the rest, which is only replaced as a whole; no call is made under it
	few    map[uint32]bool
	memory Memory
	report string
}

// settleTime is how long after a uevent the disks are checked: a new disk sends many.
const settleTime = 200 * time.Millisecond

// New returns a Keeper that has done nothing yet.
func New(cfg Config) *Keeper {
	k := &Keeper{
		cfg: cfg, began: time.Now(), wake: make(chan struct{}, 1),
		retries: map[string]*retries{}, health: map[string]*health{}, timers: map[uint32]*timer{}, logged: map[string]string{},
	}
	over := make(chan struct{})
	k.over, k.end = over, sync.OnceFunc(func() { close(over) })
	k.updateTimers()
	k.restore(cfg.Past)
	k.memory = k.snapshot()
	return k
}

// updateTimers makes the timers of the present sessions, and reports whether there are new ones.
func (k *Keeper) updateTimers() (more bool) {
	present := map[uint32]bool{}
	for _, s := range k.cfg.Sessions() {
		present[s.ID()] = true
		if k.timers[s.ID()] == nil {
			k.timers[s.ID()] = &timer{path: kernel.Sysfs(k.cfg.Sys).SessionPath(s.ID(), "recovery_tmo")}
			more = true
		}
	}
	maps.DeleteFunc(k.timers, func(sid uint32, _ *timer) bool { return !present[sid] })
	return more
}

// Wake has the disks checked soon: some may be new. Any goroutine may call it.
func (k *Keeper) Wake() {
	if k == nil {
		return
	}
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// End ends Run: the disks are being removed. Any goroutine may call it.
func (k *Keeper) End() { k.end() }

// FewRetries reports whether a disk of a session that is not a leg of a mirror retries a command a
// few times only. Any goroutine may call it.
func (k *Keeper) FewRetries(sid uint32) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.few[sid]
}

// Memory returns the state for the next worker. Any goroutine may call it.
func (k *Keeper) Memory() Memory {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.memory
}

// Report returns lines for the agent's status file. Any goroutine may call it.
func (k *Keeper) Report() string {
	if k == nil {
		return ""
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.report
}

func (k *Keeper) now() time.Duration { return time.Since(k.began) }

// Run keeps the settings until ctx ends, or End is called. A change without an event is found at
// the next check.
func (k *Keeper) Run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	k.listen(ctx)
	writes := k.watchTimers(ctx)
	survey := time.NewTicker(k.cfg.SurveyEvery)
	defer survey.Stop()
	next := time.NewTimer(0)
	defer next.Stop()
	for {
		select {
		case all, open := <-writes:
			if !open {
				writes = nil
				continue
			}
			k.timersWritten(all)
			continue
		case <-k.wake:
			next.Reset(settleTime)
			continue
		case <-next.C:
		case <-survey.C:
		case <-ctx.Done():
			return
		case <-k.over:
			return
		}
		if k.updateTimers() {
			writes = k.watchTimers(ctx)
		}
		if k.check() {
			next.Reset(errorCheckInterval)
		}
	}
}

// listen handles the uevents of iSCSI disks. Its goroutine ends with ctx.
func (k *Keeper) listen(ctx context.Context) {
	l, err := uevent.ListenISCSI()
	if err != nil {
		k.warn("uevents", err)
		return
	}
	contain.Go("uevents of disks", func() {
		defer func() { _ = l.Close() }()
		_ = l.Wait(ctx, func(e uevent.Event) (bool, error) { k.uevent(e); return false, nil })
	}, nil)
}

// uevent calls Wake for a device that came or went, and where events were lost. Of changes only
// those of units count: they have reported a unit attention (drivers/scsi/scsi_lib.c:
// scsi_evt_emit).
func (k *Keeper) uevent(e uevent.Event) {
	if e.Action != "change" {
		k.Wake()
		return
	}
	if e.Subsystem != "scsi" || k.cfg.LUNsChanged == nil {
		return
	}
	for part := range strings.SplitSeq(e.DevPath, "/") {
		if text, ok := strings.CutPrefix(part, "session"); ok {
			if sid, err := strconv.ParseUint(text, 10, 32); err == nil {
				k.cfg.LUNsChanged(uint32(sid))
			}
			return
		}
	}
}

// watchTimers returns a channel of the writes to the sessions' recovery_tmo. Its reader ends with
// ctx, or with the next call.
func (k *Keeper) watchTimers(ctx context.Context) <-chan []write {
	if k.endWatch != nil {
		k.endWatch()
	}
	ctx, k.endWatch = context.WithCancel(ctx)
	files := map[uint32]string{}
	for sid, t := range k.timers {
		files[sid] = t.path
	}
	w, err := openWatch(files, k.cfg.Proc)
	if err != nil {
		k.warn("recovery_tmo", err)
		return nil
	}
	w.start(ctx.Done())
	context.AfterFunc(ctx, contain.Func("end of the watch of recovery_tmo", w.close, nil))
	return w.writes
}

// check checks all disks and sessions, and calls Checked. again reports whether it is to be called
// again in errorCheckInterval.
func (k *Keeper) check() (again bool) {
	again = k.checkAll()
	return k.cfg.Checked != nil && k.cfg.Checked() || again
}

// checkAll checks all disks and sessions. again reports whether it is to be called again in
// errorCheckInterval.
func (k *Keeper) checkAll() (again bool) {
	few, there := map[uint32]bool{}, map[string]bool{}
	for _, s := range k.cfg.Sessions() {
		up, err := s.Up()
		up = up && err == nil
		covered := k.cfg.Covered != nil && k.cfg.Covered(s.ID())
		for _, d := range findDisks(k.cfg.Sys, s.ID()) {
			there[d.Address] = true
			leg := covered || d.multipath(k.cfg.Sys)
			few[s.ID()] = k.setRetries(d, leg) || few[s.ID()]
			again = k.checkHealth(s, up, d) || again
		}
		if k.timers[s.ID()] != nil {
			k.checkTimer(s, "")
		}
	}
	maps.DeleteFunc(k.retries, func(where string, _ *retries) bool { return !there[where] })
	maps.DeleteFunc(k.health, func(where string, _ *health) bool { return !there[where] })
	k.mu.Lock()
	k.few = few
	k.mu.Unlock()
	k.publish()
	return again
}

// timersWritten handles writes to recovery_tmo.
func (k *Keeper) timersWritten(all []write) {
	for _, w := range all {
		for _, s := range k.cfg.Sessions() {
			if s.ID() == w.sid && k.timers[w.sid] != nil {
				k.checkTimer(s, w.by)
			}
		}
	}
	k.publish()
}

// publish stores what Memory and Report return, and calls Changed if that is new.
func (k *Keeper) publish() {
	memory, report := k.snapshot(), k.reportText()
	k.mu.Lock()
	same := report == k.report && memory.Equal(k.memory)
	k.memory, k.report = memory, report
	k.mu.Unlock()
	if !same || k.sessionsChanged {
		k.sessionsChanged = false
		k.cfg.Changed()
	}
}

// reportText writes a line for each session whose recovery_tmo was restored, and for each disk that
// answers with errors.
func (k *Keeper) reportText() string {
	var out runstate.Status
	for _, s := range k.cfg.Sessions() {
		if t := k.timers[s.ID()]; t != nil && t.restored > 0 {
			ours, _ := s.Recovery()
			out.Timers = append(out.Timers, runstate.TimerStatus{SID: s.ID(), Seconds: ours, PutBack: t.restored, By: t.by})
		}
	}
	for _, where := range slices.Sorted(maps.Keys(k.health)) {
		if h := k.health[where]; h.reported >= 0 {
			out.Disks = append(out.Disks, runstate.DiskStatus{SID: h.sid, Name: h.name, ErrorsFor: k.now() - h.since})
		}
	}
	return out.Lines()
}

// warn logs an error, unless the last one of the same thing was the same.
func (k *Keeper) warn(what string, err error) {
	if k.logged[what] == err.Error() {
		return
	}
	k.logged[what] = err.Error()
	k.cfg.Log.Warnf("disks: %s: %v", what, err)
}
