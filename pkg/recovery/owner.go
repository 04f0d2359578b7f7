package recovery

import (
	"slices"
	"time"
)

// Two programs that recover one session stop each other's connections. iscsid listens to the same
// multicast group as the agent for as long as it runs; iscsiadm opens such a socket too, for a
// moment.
const (
	ownerSettles = 2 * time.Second // a listener that stays for so long is an owner
	ownerGone    = 3 * time.Second // the last one must have ended so long ago
)

// ownership follows which program recovers the sessions. Times are on a monotonic clock.
type ownership struct {
	since     map[uint32]time.Duration // when each listener was first seen
	other     bool                     // another program recovers them
	noneSince time.Duration            // since when there is no other socket; -1: there is one
	logged    string                   // the last error that was logged
}

// unreadable logs why the sockets cannot be read; nil: they can. The owner stays as it was.
func (o *ownership) unreadable(err error, log Logger) {
	switch {
	case err == nil:
		o.logged = ""
	case o.logged != err.Error():
		o.logged = err.Error()
		log.Warnf("agent: look for iscsid: %v", err)
	}
}

// observe records the present sockets. changed reports whether the owner has changed.
func (o *ownership) observe(now time.Duration, ids []uint32) (changed bool) {
	if o.since == nil {
		o.since = map[uint32]time.Duration{}
	}
	for id := range o.since {
		if !slices.Contains(ids, id) {
			delete(o.since, id)
		}
	}
	stays := false
	for _, id := range ids {
		if _, seen := o.since[id]; !seen {
			o.since[id] = now
		}
		stays = stays || now-o.since[id] >= ownerSettles
	}
	if len(ids) > 0 {
		o.noneSince = -1
	} else if o.noneSince < 0 {
		o.noneSince = now
	}
	was := o.other
	switch {
	case stays:
		o.other = true
	case o.other && len(ids) == 0 && now-o.noneSince >= ownerGone:
		o.other = false
	}
	return o.other != was
}

// pending reports whether there is another socket, or was until a moment ago: the owner is another
// program or not known yet, and the sessions must not be touched.
func (o *ownership) pending() bool { return o.other || len(o.since) > 0 }

// undecided reports whether there is another socket of which it is not known yet whether it stays.
func (o *ownership) undecided() bool { return !o.other && len(o.since) > 0 }

// hasYoungerThan reports whether there is another socket that is younger than an age.
func (o *ownership) hasYoungerThan(now, age time.Duration) bool {
	for _, since := range o.since {
		if now-since < age {
			return true
		}
	}
	return false
}

// hasUnknown reports whether there is another socket that is not one of known and is older than an
// age.
func (o *ownership) hasUnknown(now time.Duration, known owners, age time.Duration) bool {
	for id, since := range o.since {
		if now-since >= age && !known.has(id) {
			return true
		}
	}
	return false
}

// claim records that another program has logged a session in, and so is the owner.
func (o *ownership) claim(now time.Duration) {
	o.other = true
	if len(o.since) == 0 {
		o.noneSince = now
	}
}

// foreign reports whether the agent must not touch a session now, since it belongs to another
// program, or may.
func (a *Agent) foreign(w *sessionState) bool {
	return a.owner.pending() && (w.takenFrom == nil || a.owner.hasUnknown(a.now(), w.takenFrom, 0))
}

// passive reports whether another program is to log a session in.
func (a *Agent) passive(w *sessionState) bool { return a.owner.other && a.foreign(w) }

// checkOwner finds out whether another program recovers the sessions, and logs a change.
func (a *Agent) checkOwner() {
	ids, err := a.cfg.Listeners()
	if err != nil {
		a.owner.unreadable(err, a.cfg.Log)
		return
	}
	a.owner.unreadable(nil, a.cfg.Log)
	changed := a.owner.observe(a.now(), ids)
	for _, w := range a.sessions {
		switch {
		case w.takenFrom == nil:
		case !a.owner.other:
			w.takenFrom = nil
		case a.owner.hasUnknown(a.now(), w.takenFrom, ownerSettles):
			a.returnSession(w, "another iscsid has started")
		}
	}
	if !changed {
		return
	}
	if a.owner.other {
		a.cfg.Log.Infof("iscsid runs and is to log the sessions in: standing by")
	} else {
		a.cfg.Log.Infof("iscsid has ended: recovering the sessions again")
	}
	for _, w := range a.sessions {
		if w.scheduleInspections(a.now()); w.down != nil && !a.owner.other {
			w.down.retryNow(a.now())
		}
	}
	a.changed()
}

// otherLogin handles a login by another program.
func (a *Agent) otherLogin(w *sessionState) {
	switch {
	case w.takenFrom != nil:
		a.returnSession(w, "iscsid logs it in again")
	case !a.owner.other:
		a.logf(w, a.cfg.Log.Infof, "another program logged in: standing by")
	}
	a.owner.claim(a.now())
	w.activity.acted(a.now())
	w.viaUnknown = true
	if w.down != nil { // what is up from now on is its connection
		w.down.endEventAt = never
	}
	w.scheduleInspections(a.now())
	a.changed()
}
