package recovery

import (
	"errors"
	"net/netip"
	"time"
)

// Status is the state of a session.
type Status struct {
	SID     uint32
	Name    string        // the target's
	Portals []string      // in the order in which they are dialled
	Source  netip.Addr    // of the connection; not valid: not known
	Up      bool          // the session is logged in
	Ended   bool          // the session was removed
	Passive bool          // another program is to log it in
	Down    time.Duration // for how long it has been down
	Tried   time.Duration // for how long the agent has tried to log in
	Cause   string        // of that
	LastErr string        // of the last attempt to log in again
	Outages int           // that ended
	Longest time.Duration // of them

	// Of an outage, for the agent that continues it:
	NotBefore time.Duration // for how long no attempt may begin yet
	Forced    bool          // only a login ends the outage, whatever state the kernel shows
	Refused   int           // successive logins that needed the administrator
}

// resume restores the state of an earlier agent.
func (a *Agent) resume(w *sessionState, p Status) {
	w.outages, w.longest = p.Outages, p.Longest
	if p.Up || p.Ended {
		return
	}
	began := a.now() - p.Down
	w.down = newOutage(began, errors.New(p.Cause))
	w.down.dialAt, w.down.pause, w.down.resumed = a.now(), p.NotBefore, true
	w.down.retriedSince = a.now()
	w.down.reported, w.down.reportAt = p.Down, began+NextReport(p.Down)
	w.down.needsLogin, w.down.refusals, w.down.needsAdministrator = p.Forced, p.Refused, p.Refused > 0
	if p.LastErr != "" {
		w.down.lastErr = errors.New(p.LastErr)
	}
	if p.Refused > 0 {
		w.down.dialAt = a.now() + refusalPause(p.Refused-1)
	}
	w.down.holdOff(a.now() + p.NotBefore)
}

// Status returns the state of all sessions. It is for the goroutine of Run.
func (a *Agent) status() []Status {
	var out []Status
	for _, w := range a.sessions {
		s := Status{
			SID: w.ID(), Name: w.String(), Portals: w.Portals(), Source: w.Via().Source, Up: w.down == nil && !w.ended, Ended: w.ended,
			Passive: a.passive(w), Outages: w.outages, Longest: w.longest,
		}
		if w.down != nil {
			s.Down, s.Tried, s.Cause = a.now()-w.down.began, a.now()-w.down.retriedSince, w.down.cause.Error()
			s.NotBefore, s.Forced, s.Refused = max(0, w.down.notBefore-a.now()), w.down.needsLogin, w.down.refusals
			if w.down.lastErr != nil {
				s.LastErr = w.down.lastErr.Error()
			}
		}
		out = append(out, s)
	}
	return out
}

func (a *Agent) changed() {
	if a.cfg.Changed != nil {
		a.cfg.Changed(a.status())
	}
}

// report logs an outage when that is due.
func (a *Agent) report(w *sessionState) {
	o, now := w.down, a.now()
	if now < o.reportAt {
		return
	}
	if o.reported < 0 && a.owner.undecided() { // the owner is known in a moment
		o.reportAt = now + ownerEvery
		return
	}
	length := now - o.began
	cause := o.cause
	if o.lastErr != nil {
		cause = o.lastErr
	}
	switch other := a.foreign(w); {
	case o.reported < 0 && other:
		a.logf(w, a.cfg.Log.Warnf, "connection lost: %v: iscsid is to log in again", o.cause)
	case o.reported < 0:
		a.logf(w, a.cfg.Log.Warnf, "connection lost: %v: logging in again", o.cause)
	case other:
		a.logf(w, a.cfg.Log.Errorf, "down for %.0f s: iscsid runs and is to log in again: see its log", length.Seconds())
	default:
		a.logf(w, a.cfg.Log.Errorf, "down for %.0f s: %v", length.Seconds(), cause)
	}
	o.reported = length
	o.reportAt = o.began + NextReport(length)
	a.changed()
}
