package recovery

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/netip"
	"sync"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/clock"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// fake is a session, its target and its network.
type fake struct {
	mu       sync.Mutex
	sid      uint32
	up       bool
	ended    bool
	dialErr  error // at once
	hole     bool  // dials get no answer
	loginErr error
	dials    []time.Time
	logins   int
	open     int // connections not closed and not logged in by
	waiting  int
	done     uint64
	logouts  int
	wait     time.Duration // after a logout
	causes   []error       // of its outages
	stops    uint32        // connections that were given up
	changes  int           // of its LUNs
	bug      bool          // dials panic
	stateBug bool          // the next question for the state panics

	bound      bool          // a connection by which a login is under way
	via        session.Way   // of the connection
	dialVia    session.Way   // of the next dials
	found      netip.Addr    // another program's connection has it
	waysTried  []session.Way // by the last dial
	silence    time.Duration // before a ping's time-out
	loginTime  time.Duration // 10 ms if 0
	dialTime   time.Duration
	duplicates []time.Duration
	duplicate  bool // another machine uses the initiator name

	path    bool
	nic     string
	stopped int // by Stop
}

func (f *fake) IsPath() bool { return f.path }
func (f *fake) NIC() string  { return f.nic }

func (f *fake) Stop(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.up {
		f.stops++
	}
	f.stopped++
	f.up = false
	return nil
}

func (f *fake) Bound() (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.bound || f.up, nil
}

func (f *fake) Via() session.Way {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.via
}

func (f *fake) UpdateVia([]session.Way) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.found.IsValid() {
		f.via = session.Way{Source: f.found}
	}
}

func (f *fake) SilentFor(cause error) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !errors.Is(cause, kernel.PingTimedOut) {
		return 0
	}
	return f.silence
}

func (f *fake) Duplicate(ctx context.Context, _ []session.Way, wait time.Duration) (bool, error) {
	f.mu.Lock()
	f.duplicates = append(f.duplicates, wait)
	duplicate := f.duplicate
	f.mu.Unlock()
	select {
	case <-time.After(wait):
	case <-ctx.Done():
	}
	return duplicate, ctx.Err()
}

func (f *fake) Portals() []string { return []string{"10.0.0.1:3260"} }

func (f *fake) Progress() (int, uint64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.waiting, f.done, nil
}

func (f *fake) Logout(context.Context) (time.Duration, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.logouts++
	return f.wait, nil
}

type fakeConn struct {
	f   *fake
	via session.Way
}

func (c fakeConn) Close() error {
	c.f.mu.Lock()
	defer c.f.mu.Unlock()
	c.f.open--
	return nil
}

func (f *fake) ID() uint32     { return f.sid }
func (f *fake) String() string { return "iqn.test:t" }

func (f *fake) Stops() uint32 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stops
}

func (f *fake) LUNsChanged() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.changes++
}

func (f *fake) ConnectionLost(cause error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.causes = append(f.causes, cause)
}

func (f *fake) Up() (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stateBug {
		f.stateBug = false
		panic("a bug")
	}
	if f.ended {
		return false, fs.ErrNotExist
	}
	return f.up, nil
}

func (f *fake) Dial(ctx context.Context, ways ...session.Way) (io.Closer, error) {
	f.mu.Lock()
	f.dials, f.waysTried = append(f.dials, time.Now()), ways
	via := f.dialVia
	hole, err, bug, wait := f.hole, f.dialErr, f.bug, f.dialTime
	f.mu.Unlock()
	if bug {
		panic("a bug")
	}
	if hole {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	if clock.Sleep(ctx, cmp.Or(wait, time.Microsecond)) != nil { // no login before a test's next step
		return nil, ctx.Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open++
	return fakeConn{f, via}, nil
}

func (f *fake) Login(ctx context.Context, conn io.Closer) error {
	defer func() { _ = conn.Close() }()
	if err := session.Permitted(ctx, session.StepStop); err != nil {
		return err
	}
	f.set(func(f *fake) { f.stops, f.up, f.bound = f.stops+1, false, false })
	if err := session.Permitted(ctx, session.StepBind); err != nil {
		return err
	}
	f.set(func(f *fake) { f.bound, f.logins = true, f.logins+1 })
	err := f.answer(ctx)
	if err != nil && session.Permitted(ctx, session.StepStop) != nil {
		return errors.Join(err, session.ErrNotPermitted)
	}
	f.set(func(f *fake) {
		if f.bound = false; err != nil {
			f.stops++
			return
		}
		f.up, f.via = true, conn.(fakeConn).via
	})
	return err
}

// answer is the target's to a login.
func (f *fake) answer(ctx context.Context) error {
	f.mu.Lock()
	wait := cmp.Or(f.loginTime, 10*time.Millisecond)
	f.mu.Unlock()
	select {
	case <-time.After(wait):
	case <-ctx.Done():
		return ctx.Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.loginErr
}

// set changes the session, its target or its network.
func (f *fake) set(change func(f *fake)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}
