package recovery

import (
	"slices"
	"time"
)

// Two programs that recover one session take its connection away from each other. iscsid
// listens to the same multicast group as the agent for as long as it runs;
// iscsiadm opens such a socket too, for a moment.
const (
	ownerSettles = 2 * time.Second // a listener that stays so long is an owner
	ownerGone    = 3 * time.Second // the last one must be gone for so long
)

// ownership follows which program recovers the sessions. Times are on a monotonic
// clock.
type ownership struct {
	since     map[uint32]time.Duration // when each listener was first seen
	other     bool                     // another program does
	noneSince time.Duration            // since when no other socket is there
	logged    string                   // why it is not known, as logged last
}

// unreadable takes in why the sockets cannot be seen; nil: they can. All stays as it
// was: what is not seen does not make the sessions ours.
func (o *ownership) unreadable(err error, log Logger) {
	switch {
	case err == nil:
		o.logged = ""
	case o.logged != err.Error():
		o.logged = err.Error()
		log.Warnf("agent: look for iscsid: %v", err)
	}
}

// observe takes in which sockets there are now. changed tells that the owner is another
// than before.
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

// pending tells that there is another socket, or was until a moment ago, and that
// time must show which program is the owner: nothing may be touched meanwhile.
func (o *ownership) pending() bool { return o.other || len(o.since) > 0 }

// undecided tells that another socket is there, and that it is not known yet
// whether it stays.
func (o *ownership) undecided() bool { return !o.other && len(o.since) > 0 }

// hasYoungerThan tells that another socket is there which is not as old as an age.
func (o *ownership) hasYoungerThan(now, age time.Duration) bool {
	for _, since := range o.since {
		if now-since < age {
			return true
		}
	}
	return false
}

// hasUnknown tells of another socket than these that is older than an age.
func (o *ownership) hasUnknown(now time.Duration, known owners, age time.Duration) bool {
	for id, since := range o.since {
		if now-since >= age && !known.has(id) {
			return true
		}
	}
	return false
}

// claim notes that another program logged a session in, which is the owner then.
func (o *ownership) claim(now time.Duration) {
	o.other = true
	if len(o.since) == 0 {
		o.noneSince = now
	}
}

// foreign tells that nothing may be done to a session now: it is another
// program's, or may be.
func (a *Agent) foreign(w *sessionState) bool {
	return a.owner.pending() && (w.takenFrom == nil || a.owner.hasUnknown(a.now(), w.takenFrom, 0))
}

// passive tells that another program is to log a session in.
func (a *Agent) passive(w *sessionState) bool { return a.owner.other && a.foreign(w) }

// checkOwner sees which other program recovers sessions, and writes so when that
// changes.
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

// otherLogin takes in that another program logs a session in.
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
	if w.down != nil { // what is up from now on is a connection of its own
		w.down.endEventAt = never
	}
	w.scheduleInspections(a.now())
	a.changed()
}
