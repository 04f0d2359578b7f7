package recovery

import "time"

// networkChanged takes in what happened to the network.
func (a *Agent) networkChanged(c Change) {
	if c.Up {
		a.networkUp(c.Downtime)
	}
	if c.CarrierLost {
		a.noteCarrierLost()
	}
	if c.AddressesChanged {
		a.addressesChanged()
	}
}

// networkUp dials at once, unless the target asked for peace: what came up may be
// what was missing. A connection that looks whole is watched for a while if what
// came up had been away: TCP may wait as long again before it tries.
func (a *Agent) networkUp(away time.Duration) {
	for _, w := range a.sessions {
		switch {
		case w.ended:
		case w.down != nil:
			if away > 0 {
				a.scheduleParallelDial(w.down)
			}
			w.down.retryNow(a.now())
		case away > 0:
			a.networkReturned(w, away)
		}
	}
}

// retryNow has the next attempt begin at once, unless there is a reason to wait.
func (o *outage) retryNow(now time.Duration) {
	if !o.needsAdministrator {
		o.dialAt, o.moreDials = max(now, o.notBefore), true
	}
}

// A login that is under way while the network is away waits for its answer, or
// for TCP to send again, for as long as the session's patience is. When the
// network is back a connection is opened beside it; if that comes about and the
// login has not ended by then, it is given up.
const (
	parallelDialAfter = 300 * time.Millisecond // the login may go on by itself
	// parallelDialsUndelayed is how many logins of one outage are given up so soon. Each one
	// more has as much longer: on a network whose machines come and go all the
	// time a slow target must get its login done in the end.
	parallelDialsUndelayed = 4
)

// scheduleParallelDial has a connection opened beside a login under way. A test for another
// machine with our name ends: its sessions went through what the network did.
func (a *Agent) scheduleParallelDial(o *outage) {
	if o.running == testingName {
		o.stop()
	}
	if o.running == loggingIn && o.parallelDialAt == 0 {
		o.parallelDialAt = a.now() + parallelDialAfter*time.Duration(max(1, o.parallelDials-parallelDialsUndelayed+1))
	}
}

// parallelDial opens it when it is time to, and returns after how long to look again.
func (a *Agent) parallelDial(w *sessionState) time.Duration {
	o := w.down
	if o.running != loggingIn || o.parallelDialAt == 0 {
		return SurveyEvery
	}
	if wait := o.parallelDialAt - a.now(); wait > 0 {
		return wait
	}
	o.parallelDialAt = 0
	if o.parallelDials++; o.dials < maxDials && !a.foreign(w) {
		a.dial(w, o.logins)
	}
	return SurveyEvery
}

// useNextConn logs in by the connection that was opened beside a login that failed,
// if there is one.
func (a *Agent) useNextConn(w *sessionState) {
	conn := w.down.nextConn
	if conn == nil {
		return
	}
	if a.foreign(w) {
		w.down.closeNextConn()
		return
	}
	w.down.nextConn = nil
	a.login(w, conn)
}
