package paths

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/clock"
	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
	"github.com/iscsiroot/iscsiroot/pkg/multipath"
	"github.com/iscsiroot/iscsiroot/pkg/recovery"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/maps"
)

// Session is a session whose disks may be paths; *recovery.KernelSession is one.
type Session interface {
	ID() uint32
	String() string     // its target
	At() netip.AddrPort // the portal of its last login
	// Queue is for how many seconds the map of its disks holds I/O back while no path works, or
	// session.Never; 0: its disks are no paths.
	Queue() uint32
	// UseAsPath gives it the timers of a path, SetTimers has the kernel use them, and UseAsDisk
	// gives it those before UseAsPath. Recovery returns the recovery time-out, and whether the
	// kernel does not have it yet.
	UseAsPath() error
	UseAsDisk() error
	SetTimers(ctx context.Context) error
	Recovery() (seconds uint32, due bool)
}

// Maps are the kernel's multipath maps; *maps.Maps is this machine's.
type Maps interface {
	List() ([]maps.Map, error)
	Read(u blockdev.LUN, target string) (multipath.Path, error)
	Join(ctx context.Context, name string, p multipath.Path) error
	Leave(ctx context.Context, name string, n table.Number) error
	Regroup(ctx context.Context, name string, paths []multipath.Path) error
	Message(name, text string) error
}

// Logger writes to the kernel's log.
type Logger interface {
	Errorf(format string, args ...any)
	Warnf(format string, args ...any)
	Infof(format string, args ...any)
}

// Config configures a Keeper. Its functions are called by the goroutine of Run, but for Read.
type Config struct {
	Sys  string // the mount point of sysfs
	Maps Maps
	// Allow lists WWIDs that join disks of different targets, see multipath.Same; nil: none.
	Allow func() []multipath.ID
	// Sessions lists the sessions.
	Sessions func() []Session
	// Others reports whether another program runs that makes groups by its own settings, as
	// multipathd; nil: none does.
	Others func() bool
	// Read reads a sector of a disk, past the cache. It is called in goroutines of its own.
	Read func(disk string) error
	// Listen calls wake at each event of a disk or a map until ctx ends. unit: the access
	// states may have changed. Nil: there are no events.
	Listen func(ctx context.Context, wake func(unit bool))
	// MirrorTimeout is after how long without a path the I/O of a map fails whose data an array
	// has elsewhere too; 0: not before Queue. Covered reports whether all that is in use works
	// without the disks of a session and of the sessions that are down.
	MirrorTimeout time.Duration
	Covered       func(sid uint32) bool
	// Changed is called when Memory or the timers of a session have changed; may be nil.
	Changed func()
	// Past is the state of an earlier Keeper.
	Past Memory
	Log  Logger
}

// Keeper keeps maps alive. A nil Keeper does nothing.
type Keeper struct {
	cfg     Config
	began   time.Time
	boot    time.Duration // the time of began on the clock of clock.SinceBoot
	wake    chan struct{} // of one place
	probes  chan probe    // results
	changes chan changeResult
	ctx     context.Context // of Run
	tasks   sync.WaitGroup  // the goroutines that change maps
	over    chan struct{}   // closed by End
	end     func()

	// Of Run alone:
	maps     map[string]*mapState // by name
	changing bool                 // a change runs
	logged   map[string]string    // the last error about each thing

	mu     sync.Mutex      // guards the rest; no call is made under it
	up     map[uint32]bool // the states of the sessions
	units  time.Time       // of the last unit attention
	memory Memory
}

// New returns a Keeper that has done nothing yet.
func New(cfg Config) *Keeper {
	k := &Keeper{
		cfg: cfg, began: time.Now(), boot: clock.SinceBoot(), wake: make(chan struct{}, 1), probes: make(chan probe), changes: make(chan changeResult),
		over: make(chan struct{}), maps: map[string]*mapState{}, logged: map[string]string{}, up: map[uint32]bool{}, memory: cfg.Past,
	}
	k.end = sync.OnceFunc(func() { close(k.over) })
	k.restore(cfg.Past)
	return k
}

func (k *Keeper) now() time.Duration { return time.Since(k.began) }

// Update sets the states of the sessions. Any goroutine may call it.
func (k *Keeper) Update(all []recovery.Status) {
	if k == nil {
		return
	}
	up := map[uint32]bool{}
	for _, s := range all {
		up[s.SID] = s.Up && !s.Ended
	}
	k.mu.Lock()
	k.up = up
	k.mu.Unlock()
	k.Wake()
}

// Wake has the maps checked soon. Any goroutine may call it.
func (k *Keeper) Wake() {
	if k == nil {
		return
	}
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// event is called at a uevent. Any goroutine may call it.
func (k *Keeper) event(unit bool) {
	if unit {
		k.mu.Lock()
		k.units = time.Now()
		k.mu.Unlock()
	}
	k.Wake()
}

// End ends Run: the disks are being removed. Any goroutine may call it.
func (k *Keeper) End() {
	if k != nil {
		k.end()
	}
}

// sessionUp reports whether a session is up; not known: the agent does not have it now.
func (k *Keeper) sessionUp(sid uint32) (up, known bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	up, known = k.up[sid]
	return up, known
}

// Run keeps the maps until ctx ends, and returns when no change of a map runs any more.
func (k *Keeper) Run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer k.tasks.Wait()
	defer cancel()
	k.ctx = ctx
	k.changing = false // if a panic has ended the last Run
	for _, m := range k.maps {
		for _, st := range m.paths {
			st.probing = false
		}
	}
	if k.cfg.Listen != nil {
		k.cfg.Listen(ctx, k.event)
	}
	next := time.NewTimer(0)
	defer next.Stop()
	for {
		select {
		case <-k.wake:
		case <-next.C:
		case p := <-k.probes:
			k.probed(p)
		case c := <-k.changes:
			k.hasChanged(c)
		case <-ctx.Done():
			return
		case <-k.over:
			return
		}
		next.Reset(max(k.check(), time.Millisecond))
	}
}

// recheck is how long after an error of device-mapper the maps are checked again.
const recheck = time.Second

// check compares the maps with the sessions, does what is due, and returns when to call it again.
func (k *Keeper) check() time.Duration {
	sessions := k.cfg.Sessions()
	if !slices.ContainsFunc(sessions, func(s Session) bool { return s.Queue() != 0 }) {
		return recovery.SurveyEvery // without a path there is no map, and maybe no device-mapper
	}
	all, err := k.cfg.Maps.List() // with an error those that could be read
	k.warn("list", err)
	all = slices.DeleteFunc(all, func(m maps.Map) bool { return !k.keeps(&m, sessions) })
	next := recovery.SurveyEvery
	if err != nil {
		next = recheck
	}
	for i := range all {
		next = min(next, k.checkMap(&all[i], sessions))
	}
	for name := range k.maps {
		if err == nil && !slices.ContainsFunc(all, func(m maps.Map) bool { return m.Name == name }) {
			delete(k.maps, name)
		}
	}
	next = min(next, k.changeMaps(all, sessions), k.accessChange(all))
	k.publish()
	return next
}

// keeps reports whether a map is the Keeper's: a session's disk is a path of it, or was, if all its
// disks are gone. Others are another program's, as multipathd's.
func (k *Keeper) keeps(mp *maps.Map, sessions []Session) bool {
	if mp.Gone() {
		return k.maps[mp.Name] != nil
	}
	return slices.ContainsFunc(mp.Paths, func(p maps.Path) bool {
		s := find(sessions, p.Session)
		return s != nil && s.Queue() != 0
	})
}

// find returns a session; nil: there is none of that id.
func find(sessions []Session, sid uint32) Session {
	for _, s := range sessions {
		if s.ID() == sid && sid != 0 {
			return s
		}
	}
	return nil
}

// warn logs an error, unless the last one of the same thing was the same. Nil ends it.
func (k *Keeper) warn(what string, err error) {
	switch {
	case err == nil:
		delete(k.logged, what)
	case k.logged[what] != err.Error():
		k.logged[what] = err.Error()
		k.cfg.Log.Warnf("multipath: %v", err)
	}
}
