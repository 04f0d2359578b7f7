package recovery

import (
	"context"
	"slices"
	"time"
)

// That iscsid runs does not say that it logs a session in again: it may be
// stopped, wait for the very disk, or have no record of the session. What counts
// is what it does. While a session of its is down, and a portal takes TCP
// connections, it has takeAfter to bind a connection or to be answered a login;
// then the session is ours until it acts.
const (
	takeAfter       = 30 * time.Second
	probeEvery      = time.Second            // between connects to a portal, which costs the target one each
	boundCheckEvery = 500 * time.Millisecond // at its connection, however long a probe takes
)

// ownerActivity is what is seen of the program that is to log in a session that is down.
type ownerActivity struct {
	started  bool
	last     time.Duration // when it acted, or the outage began
	bound    bool          // a connection is bound, as of the last look
	checkAt  time.Duration // when the next one is
	answered time.Duration // since when a portal takes connections; negative: it does not
	probeAt  time.Duration // when that is tried next
	probing  bool
}

// acted notes a deed.
func (d *ownerActivity) acted(now time.Duration) { d.last, d.answered = now, -1 }

// observe notes whether a connection is bound: one that was not bound before is a
// deed.
func (d *ownerActivity) observe(now time.Duration, bound bool, err error) {
	if !d.started || err != nil || bound && !d.bound {
		d.acted(now)
	}
	d.started, d.bound = true, bound
}

// timedOut tells that the program had its time. It has twice that where it, or one
// before it, has left a connection bound: a login may be under way.
func (d *ownerActivity) timedOut(now time.Duration) bool {
	patience := takeAfter
	if d.bound {
		patience *= 2
	}
	return d.answered >= 0 && now-max(d.last, d.answered) >= patience
}

// followOwner follows what is done about a session that is down and another program's,
// and returns after how long to look again.
func (a *Agent) followOwner(w *sessionState) time.Duration {
	d, now := &w.activity, a.now()
	if !a.passive(w) || w.down.running != noAttempt {
		*d = ownerActivity{probing: d.probing}
		if w.down.running == testingName && a.foreign(w) { // it logs in by our name
			w.down.stop()
		}
		return SurveyEvery
	}
	if now >= d.checkAt {
		d.checkAt = now + boundCheckEvery
		bound, err := w.Bound()
		d.observe(now, bound, err)
	}
	if now >= d.probeAt && !d.probing && now >= w.down.notBefore {
		d.probeAt = now + probeEvery
		a.probe(w)
	}
	return d.checkAt - now
}

// probe finds out whether a portal takes connections.
func (a *Agent) probe(w *sessionState) {
	w.activity.probing = true
	ways := a.ways()
	ctx, cancel := context.WithTimeout(a.dialContext(w), dialTimeout)
	a.attempt(w, cancel, result{outage: w.down, kind: probing}, func(r *result) {
		r.conn, r.err = w.Dial(ctx, ways...)
	})
}

// probed takes in what came of it.
func (a *Agent) probed(w *sessionState, r result) {
	d := &w.activity
	d.probing = false
	r.close()
	if w.down == nil || w.down != r.outage || !d.started {
		return
	}
	switch {
	case r.err != nil:
		d.answered = -1
	case d.answered < 0:
		d.answered = a.now()
	case d.timedOut(a.now()):
		a.takeSession(w)
	}
}

// takeSession makes a session ours, if its owner has not acted up to now, and has
// run for long enough to act.
func (a *Agent) takeSession(w *sessionState) {
	now := a.now()
	a.checkOwner()
	bound, err := w.Bound()
	if w.activity.observe(now, bound, err); !a.passive(w) || !w.activity.timedOut(now) || a.owner.hasYoungerThan(now, takeAfter) {
		return
	}
	if a.inspect(w); w.down == nil || w.ended {
		return
	}
	w.takenFrom = a.owners()
	w.down.wasBound, w.down.testWait = bound, 0 // it may log in by our name during a test
	w.down.retryNow(now)
	a.logf(w, a.cfg.Log.Warnf, "iscsid runs but has not logged session %d in for %.0f s: logging in", w.ID(), takeAfter.Seconds())
	a.changed()
}

// owners are the listeners that a session was taken from.
type owners []listener

func (o owners) has(id uint32) bool {
	return slices.ContainsFunc(o, func(l listener) bool { return l.id == id })
}

// resumedReading tells that one that had left events unread, for as long as it took to take
// the session, has read some: a process that was stopped goes on. It gives our
// connection up as soon as it has read of the old one's end.
func (o owners) resumedReading(unread func(uint32) (int, error)) bool {
	return unread != nil && slices.ContainsFunc(o, func(l listener) bool {
		now, err := unread(l.id)
		return err == nil && now < l.unread
	})
}

// notReading tells that all of them have left events unread since then: what happened
// to the session is none of their deeds.
func (o owners) notReading(unread func(uint32) (int, error)) bool {
	return unread != nil && len(o) > 0 && !slices.ContainsFunc(o, func(l listener) bool {
		now, err := unread(l.id)
		return err != nil || l.unread == 0 || now < l.unread
	})
}

// owners lists the listeners that there are now; it is not nil.
func (a *Agent) owners() owners {
	all := owners{}
	for id := range a.owner.since {
		l := listener{id: id}
		if a.cfg.Unread != nil {
			l.unread, _ = a.cfg.Unread(id)
		}
		all = append(all, l)
	}
	return all
}

// returnSession gives a session that was taken back to its owner.
func (a *Agent) returnSession(w *sessionState, why string) {
	w.takenFrom = nil
	w.activity.acted(a.now())
	a.logf(w, a.cfg.Log.Infof, "%s: standing by", why)
	w.scheduleInspections(a.now())
	a.changed()
}
