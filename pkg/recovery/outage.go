package recovery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/contain"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
)

// watched is a session with what the agent knows of it.
type watched struct {
	Session
	down    *outage    // nil: commands flow
	suspect *suspicion // that they do not
	lost    *progress  // when a carrier went that is not back; nil: none
	twins   twins
	outages int            // that ended
	longest time.Duration  // of them
	ended   bool           // the session is no more
	tasks   sync.WaitGroup // attempts under way
}

// outage is the time from a broken connection to the next login.
type outage struct {
	began     time.Duration
	cause     error
	lastErr   error         // of the last attempt
	dialAt    time.Duration // when the next attempt begins
	notBefore time.Duration // when the first may: the target asked for it, or another machine is at it
	reportAt  time.Duration // when the log is written next
	reported  time.Duration // length at the last report
	dials     int           // connections being opened
	hurried   bool          // one more may be
	busy      bool          // a login or a logout runs
	forced    bool          // it takes a login, whatever the kernel says of the session
	stalled   bool          // the kernel does not know of it
	doneThen  uint64        // Progress when it stalled
	slow      bool          // the target's administrator must do something
	refused   int           // logins in a row that were slow
	lostAgain *kernel.Event // the end of a connection, maybe of the one that is logged in now
	cancel    func()        // ends what is under way
	ctx       context.Context
}

// Limits of what runs at once and for how long.
const (
	maxDials     = 12               // connections being opened, per session
	dialTimeout  = 5 * time.Second  // of one of them
	loginTimeout = 45 * time.Second // all PDUs
	logoutLimit  = 5 * time.Second  // where the target gives more
	slowFirst    = 5 * time.Second  // pause after a refusal that needs a person
	slowMost     = time.Minute
)

// attempt is what came to its end.
type attempt int

// The attempts.
const (
	dialing attempt = iota
	loggingIn
	loggingOut
)

// String names it, for a panic's report.
func (a attempt) String() string {
	return [...]string{"connect", "login", "logout"}[a]
}

// result is the end of an attempt.
type result struct {
	session Session
	of      *outage
	what    attempt
	conn    io.Closer     // of a dial
	wait    time.Duration // of a logout
	err     error
}

// dial opens a connection beside those that are being opened already.
func (w *watched) dial(ctx context.Context, results chan<- result) {
	o := w.down
	if o.ctx == nil {
		o.ctx, o.cancel = context.WithCancel(ctx)
	}
	o.dials++
	attempt, cancel := context.WithTimeout(o.ctx, dialTimeout)
	w.attempt(ctx, cancel, results, result{of: o, what: dialing}, func(r *result) {
		r.conn, r.err = w.Dial(attempt)
	})
}

// login logs in by a connection; the others are given up.
func (w *watched) login(ctx context.Context, conn io.Closer, results chan<- result) {
	o := w.down
	o.busy, o.lostAgain = true, nil
	o.cancel()
	attempt, cancel := context.WithTimeout(ctx, loginTimeout)
	o.ctx, o.cancel = nil, cancel
	w.attempt(ctx, cancel, results, result{of: o, what: loggingIn}, func(r *result) {
		r.err = w.Login(attempt, conn)
	})
}

// logout ends the connection in the way that the target asked for.
func (w *watched) logout(ctx context.Context, limit time.Duration, results chan<- result) {
	o := w.down
	o.busy = true
	attempt, cancel := context.WithTimeout(ctx, limit)
	w.attempt(ctx, cancel, results, result{of: o, what: loggingOut}, func(r *result) {
		r.wait, r.err = w.Logout(attempt)
	})
}

// attempt runs f in a goroutine of its own and sends what came of it. A panic
// in f is the attempt's error. The goroutine ends with f: all that f waits for
// is bound by the attempt's context, which cancel releases.
func (w *watched) attempt(ctx context.Context, cancel func(), results chan<- result, r result, f func(*result)) {
	r.session = w.Session
	name := fmt.Sprintf("%v to %s", r.what, w)
	w.tasks.Go(contain.Func(name, func() {
		defer cancel()
		err := contain.Call(name, func() error { f(&r); return r.err })
		r.err = err
		send(ctx, results, r)
	}, nil))
}

// send hands a result over, unless nobody takes it any more.
func send(ctx context.Context, results chan<- result, r result) {
	select {
	case results <- r:
	case <-ctx.Done():
		if r.conn != nil {
			_ = r.conn.Close()
		}
	}
}

// event takes in what the kernel tells.
func (a *Agent) event(ctx context.Context, e kernel.Event) {
	if errors.Is(e.Err, kernel.ErrEventsLost) {
		a.survey()
		return
	}
	for _, w := range a.watched {
		if w.ID() != e.SID || w.ended {
			continue
		}
		switch {
		case e.Err != nil && e.Stops != w.Stops(): // of a connection before this one
		case e.Err != nil:
			if w.down != nil {
				w.down.lostAgain = &e
			}
			if w.down != nil && w.down.stalled { // now the kernel knows too
				w.down.stalled, w.down.forced, w.down.cause = false, false, e.Err
			}
			a.broken(w, e.Err)
		case e.PDU.Opcode() == iscsi.OpLoginResponse && (w.down == nil || !w.down.busy):
			if !a.owner.other {
				a.cfg.Log.Infof("session %d to %s: somebody else logged in: standing by", w.ID(), w)
			}
			a.owner.claim(a.now())
		case e.PDU.Opcode() == iscsi.OpAsyncMessage:
			a.async(ctx, w, iscsi.ParseAsyncMessage(e.PDU))
		}
	}
}

// async obeys a message of the target's (RFC 7143 11.9.1). The kernel passes it
// on and does nothing about it. What iscsid looks after is iscsid's to obey.
func (a *Agent) async(ctx context.Context, w *watched, m iscsi.AsyncMessage) {
	if w.down != nil || a.owner.pending() {
		return
	}
	seconds := func(n uint16) time.Duration { return time.Duration(n) * time.Second }
	switch m.Event {
	case iscsi.AsyncLogoutRequest:
		a.broken(w, asyncError(m.Event))
		w.logout(ctx, min(max(seconds(m.Parameter3), time.Second), logoutLimit), a.results)
	case iscsi.AsyncDropConnection, iscsi.AsyncDropSession:
		// Parameter1 is the connection, of which we have but number 0.
		if m.Event == iscsi.AsyncDropConnection && m.Parameter1 != 0 {
			return
		}
		a.broken(w, asyncError(m.Event))
		w.down.peace(a.now() + seconds(m.Parameter2)) // Time2Wait
	case iscsi.AsyncNegotiate:
		a.broken(w, asyncError(m.Event)) // a login negotiates everything
	default: // a SCSI event, and tasks that were aborted, are the kernel's
		return
	}
	w.down.forced = true
}

// peace lets no attempt begin before a time.
func (o *outage) peace(until time.Duration) {
	o.notBefore = max(o.notBefore, until)
	o.dialAt = max(o.dialAt, o.notBefore)
}

// asyncError is an outage that the target asked for.
type asyncError iscsi.AsyncEvent

// Error implements error.
func (e asyncError) Error() string { return "target sent: " + iscsi.AsyncEvent(e).String() }

// broken begins an outage.
func (a *Agent) broken(w *watched, cause error) {
	if w.down != nil {
		return
	}
	now := a.now()
	w.Broken(cause)
	w.suspect, w.lost = nil, nil
	w.down = &outage{began: now, cause: cause, dialAt: now, reportAt: now, reported: -1, cancel: func() {}}
	var closed kernel.ConnError
	if errors.As(cause, &closed) && w.twins.broken(now) {
		a.cfg.Log.Errorf("session %d to %s: %d logins in a row were thrown out: another machine uses the same initiator name: "+
			"give each its own, or both will write to one disk", w.ID(), w, twinLogins)
		w.down.peace(now + twinPause)
	}
	a.changed()
}

// result takes in the end of an attempt.
func (a *Agent) result(ctx context.Context, r result) {
	known := false
	for _, w := range a.watched {
		if w.Session != r.session {
			continue
		}
		known = true
		stale := w.down != r.of
		if r.what == dialing && !stale {
			w.down.dials--
		}
		switch {
		case stale, r.what == dialing && w.down.busy:
			if r.conn != nil {
				_ = r.conn.Close()
			}
		case r.what == loggingOut: // refused or not: the target wants us gone
			w.down.busy = false
			w.down.peace(a.now() + r.wait)
		case r.err != nil:
			a.failed(w, r)
		case r.what == loggingIn:
			again := w.down.lostAgain
			w.twins.login(a.now(), w.down.lastErr == nil)
			a.healed(w)
			if again != nil && again.Stops == w.Stops() { // after its START, before we knew of that
				a.broken(w, again.Err)
			}
		default:
			a.connected(ctx, w, r.conn)
		}
	}
	if !known && r.conn != nil { // the session was removed
		_ = r.conn.Close()
	}
}

// connected goes on with a new connection, if it is needed and ours to use.
func (a *Agent) connected(ctx context.Context, w *watched, conn io.Closer) {
	flows := func() bool {
		up, err := w.Up()
		if err != nil || !up {
			return false
		}
		waiting, done, err := w.Progress()
		return err == nil && (waiting == 0 || done != w.down.doneThen)
	}
	switch {
	case a.owner.pending():
		_ = conn.Close()
	case w.down.stalled && flows():
		_ = conn.Close()
		a.healed(w)
	default:
		w.down.stalled, w.down.forced = false, false
		w.login(ctx, conn, a.results)
	}
}

// failed notes why an attempt came to nothing.
func (a *Agent) failed(w *watched, r result) {
	o := w.down
	if !errors.Is(r.err, context.Canceled) {
		o.lastErr = r.err
	}
	if r.what == dialing {
		return // the next dial has its time already
	}
	o.busy = false
	o.slow = a.cfg.Slow != nil && a.cfg.Slow(r.err)
	if !o.slow {
		o.refused = 0
		return
	}
	o.dialAt = a.now() + slowPause(o.refused)
	if o.refused++; o.refused == 1 {
		o.reportAt = a.now() // a person should know
	}
}

// slowPause is the pause after so many refusals before the last one.
func slowPause(refused int) time.Duration { return min(slowFirst<<min(refused, 8), slowMost) }

// healed ends an outage.
func (a *Agent) healed(w *watched) {
	o := w.down
	length := a.now() - o.began
	o.cancel()
	w.down = nil
	w.outages++
	w.longest = max(w.longest, length)
	did := "logged in again"
	if o.stalled {
		did = "goes on by itself"
	}
	a.cfg.Log.Warnf("session %d to %s: %s after %.1f s", w.ID(), w, did, length.Seconds())
	a.changed()
}

// gone forgets a session that was ended by somebody.
func (a *Agent) gone(w *watched) {
	if w.ended {
		return
	}
	w.ended = true
	if w.down != nil {
		w.down.cancel()
		w.down = nil
	}
	a.cfg.Log.Warnf("session %d to %s: was ended", w.ID(), w)
	a.changed()
}
