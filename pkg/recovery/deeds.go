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
	takeAfter  = 30 * time.Second
	probeEvery = time.Second            // between connects to a portal, which costs the target one each
	lookEvery  = 500 * time.Millisecond // at its connection, however long a probe takes
)

// deeds is what is seen of the program that is to log in a session that is down.
type deeds struct {
	begun    bool
	last     time.Duration // when it acted, or the outage began
	bound    bool          // a connection is bound, as of the last look
	lookAt   time.Duration // when the next one is
	answered time.Duration // since when a portal takes connections; negative: it does not
	probeAt  time.Duration // when that is tried next
	probing  bool
}

// acted notes a deed.
func (d *deeds) acted(now time.Duration) { d.last, d.answered = now, -1 }

// look notes whether a connection is bound: one that was not bound before is a
// deed.
func (d *deeds) look(now time.Duration, bound bool, err error) {
	if !d.begun || err != nil || bound && !d.bound {
		d.acted(now)
	}
	d.begun, d.bound = true, bound
}

// due tells that the program had its time. It has twice that where it, or one
// before it, has left a connection bound: a login may be under way.
func (d *deeds) due(now time.Duration) bool {
	patience := takeAfter
	if d.bound {
		patience *= 2
	}
	return d.answered >= 0 && now-max(d.last, d.answered) >= patience
}

// deeds follows what is done about a session that is down and another program's,
// and returns after how long to look again.
func (a *Agent) deeds(w *watched) time.Duration {
	d, now := &w.deeds, a.now()
	if !a.passive(w) || w.down.doing != nothing {
		*d = deeds{probing: d.probing}
		if w.down.doing == examining && a.foreign(w) { // it logs in by our name
			w.down.stop()
		}
		return SurveyEvery
	}
	if now >= d.lookAt {
		d.lookAt = now + lookEvery
		bound, err := w.Bound()
		d.look(now, bound, err)
	}
	if now >= d.probeAt && !d.probing && now >= w.down.notBefore {
		d.probeAt = now + probeEvery
		a.probe(w)
	}
	return d.lookAt - now
}

// probe finds out whether a portal takes connections.
func (a *Agent) probe(w *watched) {
	w.deeds.probing = true
	ways := a.ways()
	ctx, cancel := context.WithTimeout(a.beside(w), dialTimeout)
	a.attempt(w, cancel, result{of: w.down, what: probing}, func(r *result) {
		r.conn, r.err = w.Dial(ctx, ways...)
	})
}

// probed takes in what came of it.
func (a *Agent) probed(w *watched, r result) {
	d := &w.deeds
	d.probing = false
	r.close()
	if w.down == nil || w.down != r.of || !d.begun {
		return
	}
	switch {
	case r.err != nil:
		d.answered = -1
	case d.answered < 0:
		d.answered = a.now()
	case d.due(a.now()):
		a.takeSession(w)
	}
}

// takeSession makes a session ours, if its owner has not acted up to now, and has
// run for long enough to act.
func (a *Agent) takeSession(w *watched) {
	now := a.now()
	a.lookForOwner()
	bound, err := w.Bound()
	if w.deeds.look(now, bound, err); !a.passive(w) || !w.deeds.due(now) || a.owner.began(now, takeAfter) {
		return
	}
	if a.inspect(w); w.down == nil || w.ended {
		return
	}
	w.taken = a.owners()
	w.down.bound, w.down.test = bound, 0 // it may log in by our name during a test
	w.down.hurry(now)
	a.say(w, a.cfg.Log.Warnf, "iscsid runs but has not logged session %d in for %.0f s: logging in", w.ID(), takeAfter.Seconds())
	a.changed()
}

// owners are the listeners that a session was taken from.
type owners []listener

func (o owners) has(id uint32) bool {
	return slices.ContainsFunc(o, func(l listener) bool { return l.id == id })
}

// woke tells that one that had left events unread, for as long as it took to take
// the session, has read some: a process that was stopped goes on. It gives our
// connection up as soon as it has read of the old one's end.
func (o owners) woke(unread func(uint32) (int, error)) bool {
	return unread != nil && slices.ContainsFunc(o, func(l listener) bool {
		now, err := unread(l.id)
		return err == nil && now < l.unread
	})
}

// asleep tells that all of them have left events unread since then: what happened
// to the session is none of their deeds.
func (o owners) asleep(unread func(uint32) (int, error)) bool {
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

// standBack gives a session that was taken back to its owner.
func (a *Agent) standBack(w *watched, why string) {
	w.taken = nil
	w.deeds.acted(a.now())
	a.say(w, a.cfg.Log.Infof, "%s: standing by", why)
	w.ask(a.now())
	a.changed()
}
