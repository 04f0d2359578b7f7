package recovery

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// sourceError reports a connection whose source address was removed from the machine. The kernel
// continues to send from it (net/ipv4/ip_output.c: __ip_queue_xmit routes with the socket's
// address) and receives nothing; otherwise only the time-out of a NOP-Out would show it.
type sourceError struct{ addr netip.Addr }

// Error implements error.
func (e *sourceError) Error() string { return "its address " + e.addr.String() + " is gone" }

// addressesChanged is called after the machine's addresses have changed.
func (a *Agent) addressesChanged() {
	for _, w := range a.sessions {
		switch {
		case w.ended:
		case w.down != nil:
			a.scheduleParallelDial(w.down)
			w.down.retryNow(a.now())
		default:
			w.unseenSources = 0
			a.checkSource(w)
			w.move.retryNow(a.now(), a.permanentWays(w))
		}
	}
}

// updateVia reads the source address of a connection that another program may have made.
func (a *Agent) updateVia(w *sessionState) {
	foreign := a.foreign(w)
	if !foreign && !w.viaUnknown {
		return
	}
	was := w.Via()
	w.UpdateVia(a.ways(w))
	if w.viaUnknown = foreign; w.Via() != was {
		a.changed()
	}
}

// maxUnseenSources is after how many successive logins from an address that Config.Local does not
// find the address is assumed to exist. It is checked again when the addresses change.
const maxUnseenSources = 3

// checkSource begins an outage if the source address of the session's connection was removed. The
// kernel keeps the old connection until a new one is established; if the address returns before
// that, the session continues.
func (a *Agent) checkSource(w *sessionState) {
	via := w.Via()
	if a.cfg.Local == nil || !via.Source.IsValid() || a.foreign(w) {
		return
	}
	if a.cfg.Local(via) {
		w.unseenSources = 0
		return
	}
	if a.now()-w.storm.loggedIn < settleTime {
		w.unseenSources++
	}
	if w.unseenSources > maxUnseenSources {
		return
	}
	a.beginOutage(w, &sourceError{via.Source})
	w.down.needsLogin = true
	w.down.stillWorks = func() bool {
		up, err := w.Up()
		return err == nil && up && a.cfg.Local(via)
	}
}

// sourceReturned checks a connection that continues without a login because its address was
// restored: TCP may wait for as long again before it retransmits.
func (a *Agent) sourceReturned(w *sessionState, o *outage) {
	var gone *sourceError
	if errors.As(o.cause, &gone) {
		a.beginStallCheck(w, a.now()-o.began)
	}
}

// move is the state of replacing a connection from a temporary address.
type move struct {
	at     time.Duration // when the next attempt begins
	busy   bool          // an attempt runs
	failed int           // successive logins that failed
	tried  []session.Way // by these
}

const (
	minMovePause = 5 * time.Second // the first pause between attempts
	maxMovePause = 5 * time.Minute // after logins that failed
)

// retryNow makes the next attempt due. After a login that failed, an attempt costs another outage
// and is made only if the ways have changed.
func (m *move) retryNow(now time.Duration, ways []session.Way) {
	if m.failed == 0 || !slices.Equal(m.tried, ways) {
		m.at = now
	}
}

// temporary reports whether an address was restored temporarily.
func (a *Agent) temporary(addr netip.Addr) bool {
	return a.cfg.Temporary != nil && addr.IsValid() && slices.Contains(a.cfg.Temporary(), addr)
}

// permanentWays lists the ways from addresses that are not temporary.
func (a *Agent) permanentWays(w *sessionState) []session.Way {
	var out []session.Way
	for _, way := range a.ways(w) {
		if way.Source.IsValid() && !a.temporary(way.Source) {
			out = append(out, way)
		}
	}
	return out
}

// leaveTemporary dials from other addresses for a session whose connection has a temporary one, and
// returns when to call it again.
func (a *Agent) leaveTemporary(w *sessionState) time.Duration {
	if a.foreign(w) || !a.temporary(w.Via().Source) {
		w.move = move{busy: w.move.busy}
		return SurveyEvery
	}
	now := a.now()
	if w.move.busy || now < w.move.at {
		return max(w.move.at-now, ownerEvery)
	}
	w.move.at = now + w.move.pause()
	ways := a.permanentWays(w)
	if len(ways) == 0 {
		return w.move.pause()
	}
	w.move.busy, w.move.tried = true, ways
	ctx, cancel := context.WithTimeout(a.dialContext(w), dialTimeout)
	a.attempt(w, cancel, result{kind: moving}, func(r *result) {
		r.conn, r.err = w.Dial(ctx, ways...)
	})
	return w.move.pause()
}

// moveDialled logs in over a connection from another address.
func (a *Agent) moveDialled(w *sessionState, r result) {
	w.move.busy = false
	if r.err != nil || w.ended || w.down != nil || a.foreign(w) || !a.temporary(w.Via().Source) {
		r.close()
		return
	}
	w.setOutage(newOutage(a.now(), &moveError{w.Via().Source}))
	w.down.planned = true
	w.down.reported, w.down.reportAt = 0, a.now()+NextReport(0)
	a.changed()
	a.login(w, r.conn)
}

// moveFailed turns a planned outage, whose login has failed, into an ordinary one.
func (a *Agent) moveFailed(w *sessionState) {
	w.down.planned = false
	w.down.reported, w.down.reportAt = -1, a.now()
	w.move.at = a.now() + w.move.pause()
	w.move.failed++
}

// pause is the time from one attempt to the next.
func (m *move) pause() time.Duration { return min(minMovePause<<min(m.failed, 8), maxMovePause) }

// moveError is the cause of a planned outage.
type moveError struct{ from netip.Addr }

// Error implements error.
func (e *moveError) Error() string {
	return "given up for a login from an address that is not temporary, as " + e.from.String() + " is"
}
