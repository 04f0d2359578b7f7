package recovery

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/contain"
	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// Limits of what runs at once and for how long.
const (
	maxDials     = 12               // connections being opened, per session
	dialTimeout  = 5 * time.Second  // of one of them
	loginTimeout = 45 * time.Second // all PDUs
	logoutLimit  = 5 * time.Second  // where the target gives more
	testLimit    = 20 * time.Second // beyond what it waits
	slowFirst    = 5 * time.Second  // pause after a refusal that needs a person
	slowMost     = time.Minute      // the same, later: so late it is seen that a person has mended it
)

// attempt is what runs in a goroutine of its own and comes to an end.
type attempt int

// The attempts.
const (
	nothing attempt = iota
	dialing
	loggingIn
	loggingOut
	examining // whether another machine has our name
	probing   // whether a portal answers
	moving    // a dial while the session is up
)

// String names it, for a panic's report.
func (a attempt) String() string {
	return [...]string{"nothing", "connect", "login", "logout", "test of the initiator name", "probe", "connect"}[a]
}

// result is the end of an attempt.
type result struct {
	session   Session
	of        *outage // nil: of moving
	what      attempt
	login     int           // which login a dial is the rival of; 0: none
	conn      io.Closer     // of a dial
	wait      time.Duration // of a logout
	duplicate bool          // of a test
	err       error
}

// close closes a connection that is of no use.
func (r result) close() {
	if r.conn != nil {
		_ = r.conn.Close()
	}
}

// dial opens a connection beside those that are being opened already. login is
// the number of the login that it is the rival of, or 0.
func (a *Agent) dial(w *watched, login int) {
	o, ways := w.down, a.ways()
	if o.ctx == nil {
		o.ctx, o.cancel = context.WithCancel(a.ctx)
	}
	o.dials++
	ctx, cancel := context.WithTimeout(o.ctx, dialTimeout)
	a.attempt(w, cancel, result{of: o, what: dialing, login: login}, func(r *result) {
		r.conn, r.err = w.Dial(ctx, ways...)
	})
}

// beside returns the context of a session's dials that are no outage's.
func (a *Agent) beside(w *watched) context.Context {
	if w.beside == nil {
		w.beside, w.leave = context.WithCancel(a.ctx)
	}
	return w.beside
}

// login logs in by a connection; the others are given up.
func (a *Agent) login(w *watched, conn io.Closer) {
	o := w.down
	o.cancel()
	o.turn = a.newTurn(w)
	o.whole, o.forced = nil, false
	o.doing, o.lostAgain, o.ctx, o.rivalAt = loggingIn, nil, nil, 0
	o.logins++
	ctx, cancel := context.WithTimeout(session.WithPermit(a.ctx, o.turn.permit), loginTimeout)
	o.stop = cancel
	a.attempt(w, cancel, result{of: o, what: loggingIn}, func(r *result) {
		r.err = w.Login(ctx, conn)
	})
}

// logout ends the connection in the way that the target asked for.
func (a *Agent) logout(w *watched, limit time.Duration) {
	o := w.down
	o.doing = loggingOut
	ctx, cancel := context.WithTimeout(a.ctx, limit)
	o.stop = cancel
	a.attempt(w, cancel, result{of: o, what: loggingOut}, func(r *result) {
		r.wait, r.err = w.Logout(ctx)
	})
}

// attempt runs f in a goroutine of its own and sends what came of it. A panic
// in f is the attempt's error. The goroutine ends with f: all that f waits for
// is bound by the attempt's context, which cancel releases.
func (a *Agent) attempt(w *watched, cancel func(), r result, f func(*result)) {
	r.session = w.Session
	name := fmt.Sprintf("%v to %s", r.what, w)
	ctx := a.ctx
	w.tasks.Go(contain.Func(name, func() {
		defer cancel()
		err := contain.Call(name, func() error { f(&r); return r.err })
		r.err = err
		select {
		case a.results <- r:
		case <-ctx.Done():
			r.close()
		}
	}, nil))
}

// result takes in the end of an attempt.
func (a *Agent) result(r result) {
	w := a.find(r.session)
	switch {
	case w == nil: // it was removed
		r.close()
	case r.what == probing:
		a.probed(w, r)
	case r.what == moving:
		a.moveDialled(w, r)
	case w.down != r.of: // of an outage that is over
		r.close()
	case r.what == dialing:
		w.down.dials--
		a.dialled(w, r)
	case r.what == loggingIn:
		a.loggedIn(w, r)
	case r.what == loggingOut: // refused or not: the target wants us gone
		w.down.doing = nothing
		a.leave(w, r.wait, a.cfg.Log.Infof, "pause requested by the target: waiting")
	case r.what == examining:
		a.tested(w, r)
	}
}

// find returns what is known of a session; nil: it is not watched.
func (a *Agent) find(s Session) *watched {
	for _, w := range a.watched {
		if w.Session == s {
			return w
		}
	}
	return nil
}

// dialled goes on with a new connection, if it is needed and ours to use.
func (a *Agent) dialled(w *watched, r result) {
	o := w.down
	switch {
	case r.err != nil:
		a.failed(w, r)
	case o.doing == loggingIn && r.login == o.logins && o.next == nil:
		o.next = r.conn
		o.stop()
	case o.doing != nothing, a.foreign(w), r.login > 0 && o.slow:
		r.close()
	case o.whole != nil && o.whole():
		r.close()
		a.recovered(w, false)
	default:
		a.login(w, r.conn)
	}
}

// loggedIn takes in the end of a login.
func (a *Agent) loggedIn(w *watched, r result) {
	if r.err != nil {
		a.failed(w, r)
		return
	}
	again := w.down.lostAgain
	w.strange = false
	w.storm.login(a.now(), w.down.logins == 1 && w.down.lastErr == nil)
	a.recovered(w, true)
	if again != nil && again.Stops == w.Stops() { // after its START, before we knew of that
		a.broken(w, again.Err)
		w.down.told = a.now()
	}
}
