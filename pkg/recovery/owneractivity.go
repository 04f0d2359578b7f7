package recovery

import (
	"context"
	"slices"
	"time"
)

// That iscsid runs does not mean that it logs a session in again: it may be stopped, wait for the
// very disk, or have no record of the session. Its activity decides. While its session is down, and
// a portal accepts TCP connections, it has takeAfter to bind a connection or to receive a login
// response; then the agent recovers the session until iscsid acts.
const (
	takeAfter       = 30 * time.Second
	probeEvery      = time.Second            // between connects to a portal, which costs the target one each
	boundCheckEvery = 500 * time.Millisecond // between looks at its connection, however long a probe takes
)

// ownerActivity is the observed activity of the program that is to log in a session that is down.
type ownerActivity struct {
	started  bool
	last     time.Duration // when it acted, or the outage began
	bound    bool          // a connection is bound, as of the last look
	checkAt  time.Duration // when the next one is
	answered time.Duration // since when a portal takes connections; negative: it does not
	probeAt  time.Duration // when that is tried next
	probing  bool
}

// acted records activity.
func (d *ownerActivity) acted(now time.Duration) { d.last, d.answered = now, -1 }

// observe records whether a connection is bound: one that was not bound before is activity.
func (d *ownerActivity) observe(now time.Duration, bound bool, err error) {
	if !d.started || err != nil || bound && !d.bound {
		d.acted(now)
	}
	d.started, d.bound = true, bound
}

// timedOut reports whether the program's time is over. It is twice as long where a connection is
// bound: a login may be running.
func (d *ownerActivity) timedOut(now time.Duration) bool {
	patience := takeAfter
	if d.bound {
		patience *= 2
	}
	return d.answered >= 0 && now-max(d.last, d.answered) >= patience
}

// followOwner observes what the owner of a session that is down does, and returns when to call it
// again.
func (a *Agent) followOwner(w *sessionState) time.Duration {
	d, now := &w.activity, a.now()
	if !a.passive(w) || w.down.running != noAttempt {
		*d = ownerActivity{probing: d.probing}
		if w.down.running == testingName && a.foreign(w) { // it logs in with the same initiator name
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

// probe tests whether a portal accepts connections.
func (a *Agent) probe(w *sessionState) {
	w.activity.probing = true
	ways := a.ways(w)
	ctx, cancel := context.WithTimeout(a.dialContext(w), dialTimeout)
	a.attempt(w, cancel, result{outage: w.down, kind: probing}, func(r *result) {
		r.conn, r.err = w.Dial(ctx, ways...)
	})
}

// probed handles its result.
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

// takeSession takes a session from its owner, if that has not acted so far, and has run for long
// enough to act.
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
	w.down.wasBound, w.down.testWait = bound, 0 // iscsid may log in with the same initiator name during a test
	w.down.retryNow(now)
	a.logf(w, a.cfg.Log.Warnf, "iscsid runs but has not logged session %d in for %.0f s: logging in", w.ID(), takeAfter.Seconds())
	a.changed()
}

// owners are the listeners that a session was taken from.
type owners []listener

func (o owners) has(id uint32) bool {
	return slices.ContainsFunc(o, func(l listener) bool { return l.id == id })
}

// resumedReading reports whether a listener that had left events unread when the session was taken
// has read some: a stopped process continues. It will stop the agent's connection as soon as it
// reads the old one's end.
func (o owners) resumedReading(unread func(uint32) (int, error)) bool {
	return unread != nil && slices.ContainsFunc(o, func(l listener) bool {
		now, err := unread(l.id)
		return err == nil && now < l.unread
	})
}

// notReading reports whether all of them have left events unread since then, and so have not acted
// on the session.
func (o owners) notReading(unread func(uint32) (int, error)) bool {
	return unread != nil && len(o) > 0 && !slices.ContainsFunc(o, func(l listener) bool {
		now, err := unread(l.id)
		return err != nil || l.unread == 0 || now < l.unread
	})
}

// owners lists the present listeners; it is not nil.
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

// returnSession returns a session that was taken to its owner.
func (a *Agent) returnSession(w *sessionState, why string) {
	w.takenFrom = nil
	w.activity.acted(a.now())
	a.logf(w, a.cfg.Log.Infof, "%s: standing by", why)
	w.scheduleInspections(a.now())
	a.changed()
}
