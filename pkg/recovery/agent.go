package recovery

import (
	"context"
	"io"
	"net/netip"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// Session is a session that the agent recovers.
type Session interface {
	// ID is the kernel's session id.
	ID() uint32
	// String names its target.
	String() string
	// NIC is the interface that its connections are bound to, as the boot has it; "": the
	// kernel chooses. It does not change.
	NIC() string
	// IsPath reports whether its disks are paths of a multipath map: while it is down their I/O
	// goes another way.
	IsPath() bool
	// Portals lists the target's portals, as they are tried.
	Portals() []string
	// Up reads from the kernel whether the session is logged in. fs.ErrNotExist: the session
	// was removed.
	Up() (bool, error)
	// Stops is how many of its connections were stopped: see kernel.Event.
	Stops() uint32
	// Bound reads from the kernel whether there is a connection that is logged in or about to
	// be.
	Bound() (bool, error)
	// Via is how the last login's connection leaves the machine; its Source is not valid where
	// that is not known.
	Via() session.Way
	// UpdateVia reads from the kernel which source address the connection has, which another
	// program may have made; ways are the candidates. Via returns it from then on.
	UpdateVia(ways []session.Way)
	// SilentFor is for how long the target had not answered when the connection was lost for
	// that cause. It is called before ConnectionLost.
	SilentFor(cause error) time.Duration
	// ConnectionLost is called with the cause at the begin of an outage.
	ConnectionLost(cause error)
	// LUNsChanged is called when the target reported a change of its LUNs.
	LUNsChanged()
	// Progress reads how many commands wait for the target, and a number that changes with each
	// one that ends.
	Progress() (waiting int, done uint64, err error)
	// Dial connects to one of the target's portals in one of the ways; without any, as the
	// kernel chooses. Dials of one session may overlap. What it returns goes to Login or is
	// closed.
	Dial(ctx context.Context, ways ...session.Way) (io.Closer, error)
	// Login stops what the kernel had, binds the connection, and logs in. It calls the
	// context's permit (session.Permitted) before the first two.
	Login(ctx context.Context, conn io.Closer) error
	// Duplicate tests by logins outside of the kernel whether another machine uses the same
	// initiator name and ISID: its login ends the test's session within wait. The session must
	// be down.
	Duplicate(ctx context.Context, ways []session.Way, wait time.Duration) (bool, error)
	// Stop has the kernel stop the connection, so that commands that wait for the target fail,
	// or are repeated after the next login.
	Stop(ctx context.Context) error
	// Logout logs out, as the target requested, and returns the Time2Wait of the logout
	// response.
	Logout(ctx context.Context) (time.Duration, error)
}

// Change is what happened to the network.
type Change struct {
	// Up: a carrier, an address or a neighbour appeared that a connection may have waited for.
	Up bool
	// Downtime is for how long that had been absent; 0: it was not, or that is unknown.
	Downtime time.Duration
	// Lost: a carrier was lost, after that.
	CarrierLost bool
	// Moved: an address was added or removed, or a link got another master: the source address
	// of a connection may be missing, and another may work now.
	AddressesChanged bool
}

// Logger writes to the kernel's log.
type Logger interface {
	Errorf(format string, args ...any)
	Warnf(format string, args ...any)
	Infof(format string, args ...any)
}

// Config configures an Agent.
type Config struct {
	Sessions []Session
	Events   <-chan kernel.Event // of the kernel's iSCSI
	Network  <-chan Change
	// Listeners are the port ids of other sockets that receive the same events. After an error
	// the owner stays as it was.
	Listeners func() ([]uint32, error)
	// Unread is how many bytes of events such a socket has not read; nil: not known. Any
	// goroutine may call both.
	Unread func(id uint32) (int, error)
	// Ways lists how a connection may leave the machine now, the best first; nil, or none: as
	// the kernel chooses.
	Ways func() []session.Way
	// Device returns the present name of the interface that stands for a session's NIC: the
	// NIC, or what it is a port of; "", or nil: the NIC's name is as the boot has it.
	Device func(nic string) string
	// Carrier reports whether the NIC of a connection has a carrier; nil: it does. It is called
	// for paths.
	Carrier func(session.Way) bool
	// Local reports whether the machine still has the source address of a connection; nil: it
	// does.
	Local func(session.Way) bool
	// Temporary lists the addresses that were restored because no other reached a target: a
	// connection from one of them is replaced by one from another address as soon as that
	// works; nil: there are none.
	Temporary func() []netip.Addr
	// FewRetries reports whether a disk of a session retries a command a few times only, so
	// that as many lost connections in succession are an I/O error; nil: no.
	FewRetries func(sid uint32) bool
	// NeedsAdministrator reports whether a login's error needs a change of the target's
	// configuration: the login is retried less often.
	NeedsAdministrator func(error) bool
	// Changed is called after each change of a session's state; may be nil.
	Changed func([]Status)
	// Beat is called by the loop of Run, at its begin and then every BeatEvery, unless the loop
	// is stuck; may be nil.
	Beat      func()
	BeatEvery time.Duration
	// Past is the state of these sessions when an earlier agent ended.
	Past []Status
	Log  Logger
}

// Agent recovers sessions. All its state belongs to the goroutine of Run; methods that other
// goroutines may call are documented as such.
type Agent struct {
	cfg      Config
	started  time.Time
	owner    ownership
	sessions []*sessionState
	results  chan result
	calls    chan func()     // functions that Run calls for other goroutines
	ctx      context.Context // of Run
	ended    chan struct{}   // closed when Run has returned
}

// never is a time before the start of any agent's clock.
const never = -24 * 365 * time.Hour

// New returns an agent that has done nothing yet but call Config.Changed.
func New(cfg Config) *Agent {
	a := &Agent{cfg: cfg, started: time.Now(), results: make(chan result), calls: make(chan func()), ended: make(chan struct{})}
	for _, s := range cfg.Sessions {
		a.track(s)
	}
	a.changed()
	return a
}

// track adds a session, with the state that an earlier agent left.
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

// now is the time on the agent's monotonic clock. It is called in many places, and the program is
// to be small.
//
//go:noinline
func (a *Agent) now() time.Duration { return time.Since(a.started) }

// logf writes a message about a session to the kernel's log.
func (a *Agent) logf(w *sessionState, log func(string, ...any), format string, args ...any) {
	log("session %d to %s: "+format, append([]any{w.ID(), w}, args...)...)
}

// Run recovers the sessions until ctx ends, and returns when every running attempt has ended: the
// caller may use the sessions from then on. It is called once.
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

// waitForAttempts waits for the end of the running attempts. Their context has ended.
func (a *Agent) waitForAttempts() {
	for _, w := range a.sessions {
		w.end()
		w.tasks.Wait()
	}
}

// startBeats calls Config.Beat and returns a channel that receives when the next call is due, and a
// function that stops it. Run makes the calls, so that a loop that is stuck makes none.
func (a *Agent) startBeats() (<-chan time.Time, func()) {
	if a.cfg.Beat == nil {
		return nil, func() {}
	}
	a.cfg.Beat()
	t := time.NewTicker(a.cfg.BeatEvery)
	return t.C, t.Stop
}
