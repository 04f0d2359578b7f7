package recovery

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/contain"
	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// Limits of the attempts in number and time.
const (
	maxDials        = 12               // connections being opened, per session
	dialTimeout     = 5 * time.Second  // of one of them
	loginTimeout    = 45 * time.Second // all PDUs
	logoutLimit     = 5 * time.Second  // at most, if the target allows more
	testLimit       = 20 * time.Second // beyond its waits
	minRefusalPause = 5 * time.Second  // pause after a refusal that needs an administrator
	maxRefusalPause = time.Minute      // the longest of these pauses
)

// attempt is a kind of operation that runs in its own goroutine.
type attempt int

// The attempts.
const (
	noAttempt attempt = iota
	dialing
	loggingIn
	loggingOut
	testingName // whether another machine uses the same initiator name
	probing     // whether a portal answers
	moving      // a dial while the session is up
	stopping    // a path's connection
)

// String names it, for a panic's report.
func (a attempt) String() string {
	return [...]string{"nothing", "connect", "login", "logout", "test of the initiator name", "probe", "connect", "stop"}[a]
}

// result is the end of an attempt.
type result struct {
	session   Session
	outage    *outage // nil: of moving
	kind      attempt
	login     int           // the number of the login that a dial runs beside; 0: none
	conn      io.Closer     // of a dial
	wait      time.Duration // of a logout
	duplicate bool          // of a test
	err       error
}

// close closes the connection, if there is one.
func (r result) close() {
	if r.conn != nil {
		_ = r.conn.Close()
	}
}

// dial opens a connection; others may be dialled at the same time. login is the number of the login
// that it runs beside, or 0.
func (a *Agent) dial(w *sessionState, login int) {
	o, ways := w.down, a.ways(w)
	if o.ctx == nil {
		o.ctx, o.cancel = context.WithCancel(a.ctx)
	}
	o.dials++
	ctx, cancel := context.WithTimeout(o.ctx, dialTimeout)
	a.attempt(w, cancel, result{outage: o, kind: dialing, login: login}, func(r *result) {
		r.conn, r.err = w.Dial(ctx, ways...)
	})
}

// dialContext returns the context of a session's dials that do not belong to an outage.
func (a *Agent) dialContext(w *sessionState) context.Context {
	if w.dialCtx == nil {
		w.dialCtx, w.cancelDials = context.WithCancel(a.ctx)
	}
	return w.dialCtx
}

// login logs in over a connection and cancels the other dials.
func (a *Agent) login(w *sessionState, conn io.Closer) {
	o := w.down
	o.cancel()
	o.loginWatch = a.newLoginWatch(w)
	o.stillWorks, o.needsLogin = nil, false
	o.running, o.endEvent, o.ctx, o.parallelDialAt = loggingIn, nil, nil, 0
	o.logins++
	ctx, cancel := context.WithTimeout(session.WithPermit(a.ctx, o.loginWatch.permit), loginTimeout)
	o.stop = cancel
	a.attempt(w, cancel, result{outage: o, kind: loggingIn}, func(r *result) {
		r.err = w.Login(ctx, conn)
	})
}

// logout logs out, as the target requested.
func (a *Agent) logout(w *sessionState, limit time.Duration) {
	o := w.down
	o.running = loggingOut
	ctx, cancel := context.WithTimeout(a.ctx, limit)
	o.stop = cancel
	a.attempt(w, cancel, result{outage: o, kind: loggingOut}, func(r *result) {
		r.wait, r.err = w.Logout(ctx)
	})
}

// attempt runs f in its own goroutine and sends the result. A panic in f is the attempt's error.
// The goroutine ends with f: all that f waits for ends with the attempt's context, which cancel
// releases.
func (a *Agent) attempt(w *sessionState, cancel func(), r result, f func(*result)) {
	r.session = w.Session
	name := fmt.Sprintf("%v to %s", r.kind, w)
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

// result handles the end of an attempt.
func (a *Agent) result(r result) {
	w := a.find(r.session)
	switch {
	case w == nil: // it was removed
		r.close()
	case r.kind == probing:
		a.probed(w, r)
	case r.kind == moving:
		a.moveDialled(w, r)
	case w.down != r.outage: // of an outage that is over
		r.close()
	case r.kind == dialing:
		w.down.dials--
		a.dialled(w, r)
	case r.kind == loggingIn:
		a.loggedIn(w, r)
	case r.kind == loggingOut: // refused or not: the target requested it
		w.down.running = noAttempt
		a.pauseFor(w, r.wait, a.cfg.Log.Infof, "pause requested by the target: waiting")
	case r.kind == stopping: // after an error the login does it
		w.down.running = noAttempt
	case r.kind == testingName:
		a.duplicateTested(w, r)
	}
}

// find returns the state of a session; nil: the agent does not have it.
func (a *Agent) find(s Session) *sessionState {
	for _, w := range a.sessions {
		if w.Session == s {
			return w
		}
	}
	return nil
}

// dialled logs in over a new connection, if one is needed and the agent may use it.
func (a *Agent) dialled(w *sessionState, r result) {
	o := w.down
	switch {
	case r.err != nil:
		a.attemptFailed(w, r)
	case o.running == loggingIn && r.login == o.logins && o.nextConn == nil:
		o.nextConn = r.conn
		o.stop()
	case o.running != noAttempt, a.foreign(w), r.login > 0 && o.needsAdministrator:
		r.close()
	case o.stillWorks != nil && o.stillWorks():
		r.close()
		a.recovered(w, false)
	default:
		a.login(w, r.conn)
	}
}

// loggedIn handles the end of a login.
func (a *Agent) loggedIn(w *sessionState, r result) {
	if r.err != nil {
		a.attemptFailed(w, r)
		return
	}
	again := w.down.endEvent
	w.viaUnknown = false
	w.storm.login(a.now(), w.down.logins == 1 && w.down.lastErr == nil)
	a.recovered(w, true)
	if again != nil && again.Stops == w.Stops() { // after its START, before this goroutine received the result
		a.beginOutage(w, again.Err)
		w.down.endEventAt = a.now()
	}
}
