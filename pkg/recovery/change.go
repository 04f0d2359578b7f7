package recovery

import "time"

// network takes in what happened to the network.
func (a *Agent) network(c Change) {
	if c.Up {
		a.hurry(c.Away)
	}
	if c.Lost {
		a.lost()
	}
	if c.Moved {
		a.moved()
	}
}

// hurry dials at once, unless the target asked for peace: what came up may be
// what was missing. A connection that looks whole is watched for a while if what
// came up had been away: TCP may wait as long again before it tries.
func (a *Agent) hurry(away time.Duration) {
	for _, w := range a.watched {
		switch {
		case w.ended:
		case w.down != nil:
			if away > 0 {
				a.doubt(w.down)
			}
			w.down.hurry(a.now())
		case away > 0:
			a.back(w, away)
		}
	}
}

// hurry has the next attempt begin at once, unless there is a reason to wait.
func (o *outage) hurry(now time.Duration) {
	if !o.slow {
		o.dialAt, o.hurried = max(now, o.notBefore), true
	}
}

// A login that is under way while the network is away waits for its answer, or
// for TCP to send again, for as long as the session's patience is. When the
// network is back a connection is opened beside it; if that comes about and the
// login has not ended by then, it is given up.
const (
	rivalAfter = 300 * time.Millisecond // the login may go on by itself
	// rivalsSoon is how many logins of one outage are given up so soon. Each one
	// more has as much longer: on a network whose machines come and go all the
	// time a slow target must get its login done in the end.
	rivalsSoon = 4
)

// doubt has a connection opened beside a login under way. A test for another
// machine with our name ends: its sessions went through what the network did.
func (a *Agent) doubt(o *outage) {
	if o.doing == examining {
		o.stop()
	}
	if o.doing == loggingIn && o.rivalAt == 0 {
		o.rivalAt = a.now() + rivalAfter*time.Duration(max(1, o.rivals-rivalsSoon+1))
	}
}

// rival opens it when it is time to, and returns after how long to look again.
func (a *Agent) rival(w *watched) time.Duration {
	o := w.down
	if o.doing != loggingIn || o.rivalAt == 0 {
		return SurveyEvery
	}
	if wait := o.rivalAt - a.now(); wait > 0 {
		return wait
	}
	o.rivalAt = 0
	if o.rivals++; o.dials < maxDials && !a.foreign(w) {
		a.dial(w, o.logins)
	}
	return SurveyEvery
}

// useNext logs in by the connection that was opened beside a login that failed,
// if there is one.
func (a *Agent) useNext(w *watched) {
	conn := w.down.next
	if conn == nil {
		return
	}
	if a.foreign(w) {
		w.down.closeNext()
		return
	}
	w.down.next = nil
	a.login(w, conn)
}
