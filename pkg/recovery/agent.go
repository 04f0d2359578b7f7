package recovery

import (
	"context"
	"io"
	"net/netip"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// Session is a session that the agent keeps alive.
type Session interface {
	// ID is the kernel's session id.
	ID() uint32
	// String names its target.
	String() string
	// Portals lists the target's portals, as they are tried.
	Portals() []string
	// Up reads from the kernel whether commands flow. fs.ErrNotExist: the
	// session was ended.
	Up() (bool, error)
	// Stops is how many of its connections were given up: see kernel.Event.
	Stops() uint32
	// Bound reads from the kernel whether there is a connection that is logged in
	// or about to be.
	Bound() (bool, error)
	// Via is how the last login's connection leaves the machine; its Source is not
	// valid where that is not known.
	Via() session.Way
	// FindVia reads from the kernel which address the connection has, which another
	// program may have made; it may go by one of the ways. Via tells it from then on.
	FindVia(ways []session.Way)
	// Silence is for how long the target had not answered when the connection was
	// lost for that cause. It is asked before Broken.
	Silence(cause error) time.Duration
	// Broken is told why the connection was lost, at the begin of an outage.
	Broken(cause error)
	// Progress reads how many commands wait for the target, and a number that
	// changes with each one that ends.
	Progress() (waiting int, done uint64, err error)
	// Dial connects to one of the target's portals in one of the ways; without
	// any, as the kernel chooses. Dials of one session may overlap. What it returns
	// goes to Login or is closed.
	Dial(ctx context.Context, ways ...session.Way) (io.Closer, error)
	// Login stops what the kernel had, binds the connection, and logs in. It asks
	// the context's permit (session.Permitted) before the first two.
	Login(ctx context.Context, conn io.Closer) error
	// Duplicate finds out by logins beside the kernel whether another machine uses
	// our initiator name and ISID: such a machine ends ours within wait. The
	// session must be down.
	Duplicate(ctx context.Context, ways []session.Way, wait time.Duration) (bool, error)
	// Logout ends the connection in the way that a target asks for, and returns
	// for how long the target then wants to be left in peace.
	Logout(ctx context.Context) (time.Duration, error)
}

// Change is what happened to the network.
type Change struct {
	// Up: something came up that a connection may have waited for: a carrier, an
	// address, a neighbour.
	Up bool
	// Downtime is for how long that had been gone; 0: it was not, or that is unknown.
	Downtime time.Duration
	// Lost: a carrier went, after that.
	CarrierLost bool
	// Moved: an address came or went, or a link got another master: the source
	// address of a connection may be gone, and another may work now.
	AddressesChanged bool
}

// Logger writes to the kernel's log.
type Logger interface {
	Errorf(format string, args ...any)
	Warnf(format string, args ...any)
	Infof(format string, args ...any)
}

// Config is what an Agent works with.
type Config struct {
	Sessions []Session
	Events   <-chan kernel.Event // of the kernel's iSCSI
	Network  <-chan Change
	// Listeners are the port ids of other sockets that receive the same events.
	// After an error the owner stays as it was.
	Listeners func() ([]uint32, error)
	// Unread is how many bytes of events such a socket has not read; nil: not
	// known. Any goroutine may call both.
	Unread func(id uint32) (int, error)
	// Ways lists how a connection may leave the machine now, the best first; nil,
	// or none: as the kernel chooses.
	Ways func() []session.Way
	// Local tells whether the machine still has the source address of a
	// connection; nil: it does.
	Local func(session.Way) bool
	// Temporary lists the addresses that were put back since no other reached a
	// target: a connection from one of them is to be replaced by one from another
	// address as soon as that works; nil: there are none.
	Temporary func() []netip.Addr
	// FewRetries tells whether a disk of a session's gives each command a few
	// tries only: so many breaks in a row are an I/O error; nil: no.
	FewRetries func(sid uint32) bool
	// NeedsAdministrator tells of a login's error that only somebody's work at the target
	// can mend: it is tried less often.
	NeedsAdministrator func(error) bool
	// Changed is called after each change of a session's state; may be nil.
	Changed func([]Status)
	// Beat is called by the loop of Run, at its begin and then every BeatEvery:
	// one that is stuck does not; nil: not.
	Beat      func()
	BeatEvery time.Duration
	// Past is what an earlier agent knew of these sessions, when it ended.
	Past []Status
	Log  Logger
}

// Agent keeps sessions alive. All its state belongs to the goroutine of Run;
// the methods that other goroutines may call say so.
type Agent struct {
	cfg      Config
	started  time.Time
	owner    ownership
	sessions []*sessionState
	results  chan result
	calls    chan func()     // what Run is to do for other goroutines
	ctx      context.Context // of Run
	ended    chan struct{}   // closed when Run has returned
}

// never is a time that is long past on any agent's clock.
const never = -24 * 365 * time.Hour

// New returns an agent that has done nothing yet but tell what it knows.
func New(cfg Config) *Agent {
	a := &Agent{cfg: cfg, started: time.Now(), results: make(chan result), calls: make(chan func()), ended: make(chan struct{})}
	for _, s := range cfg.Sessions {
		a.track(s)
	}
	a.changed()
	return a
}

// track begins to watch a session, where an earlier agent left it.
func (a *Agent) track(s Session) *sessionState {
	w := &sessionState{Session: s, inspections: len(inspectAfter), viaUnknown: true}
	w.storm.loggedIn, w.upSince = never, never
	a.sessions = append(a.sessions, w)
	for _, p := range a.cfg.Past {
		if p.SID == s.ID() {
			a.resume(w, p)
		}
	}
	return w
}

// now is the time on the agent's monotonic clock. It is called in many places, and
// the program is to be small.
//
//go:noinline
func (a *Agent) now() time.Duration { return time.Since(a.started) }

// logf writes about a session to the kernel's log.
func (a *Agent) logf(w *sessionState, log func(string, ...any), format string, args ...any) {
	log("session %d to %s: "+format, append([]any{w.ID(), w}, args...)...)
}

// Run works until ctx ends, and returns when every attempt that was under way
// has ended: the sessions are the caller's from then on. It is called once.
func (a *Agent) Run(ctx context.Context) {
	defer close(a.ended)
	ctx, cancel := context.WithCancel(ctx)
	defer a.waitForAttempts() // also after a panic
	defer cancel()
	a.ctx = ctx
	survey := time.NewTicker(SurveyEvery)
	defer survey.Stop()
	pace := time.NewTimer(0)
	defer pace.Stop()
	beat, stopBeats := a.startBeats()
	defer stopBeats()
	a.checkOwner()
	a.inspectAll()
	for {
		pace.Reset(a.work())
		select {
		case e := <-a.cfg.Events:
			a.event(e)
		case c := <-a.cfg.Network:
			a.networkChanged(c)
		case r := <-a.results:
			a.result(r)
		case f := <-a.calls:
			f()
		case <-survey.C:
			a.checkOwner()
			a.inspectAll()
		case <-beat:
			a.cfg.Beat()
		case <-pace.C:
		case <-ctx.Done():
			return
		}
	}
}

// waitForAttempts waits for the end of what is under way. Its context has ended.
func (a *Agent) waitForAttempts() {
	for _, w := range a.sessions {
		w.end()
		w.tasks.Wait()
	}
}

// startBeats has the loop of Run beat: it returns what tells when, and what ends
// that. A loop that is stuck does not beat.
func (a *Agent) startBeats() (<-chan time.Time, func()) {
	if a.cfg.Beat == nil {
		return nil, func() {}
	}
	a.cfg.Beat()
	t := time.NewTicker(a.cfg.BeatEvery)
	return t.C, t.Stop
}
