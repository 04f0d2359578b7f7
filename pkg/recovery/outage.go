package recovery

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
)

// watched is a session with what the agent knows of it.
type watched struct {
	Session
	down    *outage // nil: commands flow
	twins   twins
	outages int           // that ended
	longest time.Duration // of them
	ended   bool          // the session is no more
}

// outage is the time from a broken connection to the next login.
type outage struct {
	began    time.Duration
	cause    error
	lastErr  error         // of the last attempt
	dialAt   time.Duration // when the next attempt begins
	reportAt time.Duration // when the log is written next
	reported time.Duration // length at the last report
	dials    int           // connections being opened
	busy     bool          // a login runs
	slow     bool          // the target's administrator must do something
	refused  int           // logins in a row that were slow
	cancel   func()        // ends what is under way
	ctx      context.Context
}

// Limits of what runs at once and for how long.
const (
	maxDials     = 12               // connections being opened, per session
	dialTimeout  = 5 * time.Second  // of one of them
	loginTimeout = 45 * time.Second // all PDUs
	slowFirst    = 5 * time.Second  // pause after a refusal that needs a person
	slowMost     = time.Minute
)

// result is the end of a dial or of a login.
type result struct {
	session Session
	of      *outage
	login   bool
	conn    io.Closer
	err     error
}

// dial opens a connection beside those that are being opened already.
func (o *outage) dial(ctx context.Context, s Session, results chan<- result) {
	if o.ctx == nil {
		o.ctx, o.cancel = context.WithCancel(ctx)
	}
	o.dials++
	attempt, cancel := context.WithTimeout(o.ctx, dialTimeout)
	go func() {
		defer cancel()
		conn, err := s.Dial(attempt)
		send(ctx, results, result{session: s, of: o, conn: conn, err: err})
	}()
}

// login logs in by a connection; the others are given up.
func (o *outage) login(ctx context.Context, s Session, conn io.Closer, results chan<- result) {
	o.busy = true
	o.cancel()
	o.ctx, o.cancel = nil, func() {}
	attempt, cancel := context.WithTimeout(ctx, loginTimeout)
	go func() {
		defer cancel()
		send(ctx, results, result{session: s, of: o, login: true, err: s.Login(attempt, conn)})
	}()
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
func (a *Agent) event(e kernel.Event) {
	if errors.Is(e.Err, kernel.ErrEventsLost) {
		a.survey()
		return
	}
	for _, w := range a.watched {
		if w.ID() != e.SID || w.ended {
			continue
		}
		switch {
		case e.Err != nil:
			a.broken(w, e.Err)
		case e.PDU.Opcode() == iscsi.OpLoginResponse && (w.down == nil || !w.down.busy):
			if !a.owner.other {
				a.cfg.Log.Infof("session %d to %s: somebody else logged in: standing by", w.ID(), w)
			}
			a.owner.claim(a.now())
		case e.PDU.Opcode() == iscsi.OpAsyncMessage:
			a.async(w, iscsi.ParseAsyncMessage(e.PDU))
		}
	}
}

// async obeys a message of the target's (RFC 7143 11.9). The kernel passes it
// on and does nothing about it.
func (a *Agent) async(w *watched, m iscsi.AsyncMessage) {
	switch m.Event {
	case iscsi.AsyncLogoutRequest, iscsi.AsyncDropConnection, iscsi.AsyncDropSession, iscsi.AsyncNegotiate:
	default:
		return // a SCSI event, and tasks that were aborted, are the kernel's
	}
	a.broken(w, asyncError(m.Event))
	if m.Event == iscsi.AsyncDropConnection || m.Event == iscsi.AsyncDropSession {
		// Parameter2 is Time2Wait in seconds.
		w.down.dialAt = a.now() + time.Duration(m.Parameter2)*time.Second
	}
}

// asyncError is an outage that the target asked for.
type asyncError iscsi.AsyncEvent

// Error implements error.
func (e asyncError) Error() string { return "target sent: " + iscsi.AsyncEvent(e).String() }

// broken begins an outage.
func (a *Agent) broken(w *watched, cause error) {
	if w.down != nil {
		return // a login under way hears of it from its pipe
	}
	now := a.now()
	w.down = &outage{began: now, cause: cause, dialAt: now, reportAt: now, reported: -1, cancel: func() {}}
	if w.twins.broken(now) {
		a.cfg.Log.Errorf("session %d to %s: %d logins in a row were thrown out: another machine uses the same initiator name: "+
			"give each its own, or both will write to one disk", w.ID(), w, twinLogins)
		w.down.dialAt = now + twinPause
	}
	a.changed()
}

// result takes in the end of a dial or of a login.
func (a *Agent) result(ctx context.Context, r result) {
	for _, w := range a.watched {
		if w.Session != r.session {
			continue
		}
		stale := w.down != r.of
		if !r.login && !stale {
			w.down.dials--
		}
		switch {
		case stale, !r.login && w.down.busy:
			if r.conn != nil {
				_ = r.conn.Close()
			}
		case r.err != nil:
			a.failed(w, r)
		case r.login:
			w.twins.login(a.now())
			a.healed(w)
		case a.owner.pending():
			_ = r.conn.Close()
		default:
			w.down.login(ctx, w.Session, r.conn, a.results)
		}
	}
}

// failed notes why an attempt came to nothing.
func (a *Agent) failed(w *watched, r result) {
	o := w.down
	if !errors.Is(r.err, context.Canceled) {
		o.lastErr = r.err
	}
	if !r.login {
		return // the next dial has its time already
	}
	o.busy = false
	o.slow = a.cfg.Slow != nil && a.cfg.Slow(r.err)
	if !o.slow {
		o.refused = 0
		return
	}
	o.dialAt = a.now() + min(slowFirst<<min(o.refused, 8), slowMost)
	o.refused++
}

// healed ends an outage.
func (a *Agent) healed(w *watched) {
	o := w.down
	length := a.now() - o.began
	o.cancel()
	w.down = nil
	w.outages++
	w.longest = max(w.longest, length)
	a.cfg.Log.Warnf("session %d to %s: logged in again after %.1f s", w.ID(), w, length.Seconds())
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
