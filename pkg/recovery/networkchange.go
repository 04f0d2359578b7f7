package recovery

import "time"

// networkChanged handles a change of the network.
func (a *Agent) networkChanged(c Change) {
	if c.Up {
		a.networkUp(c.Downtime)
	}
	if c.CarrierLost {
		a.breakPaths()
		a.noteCarrierLost()
	}
	if c.AddressesChanged {
		a.addressesChanged()
	}
}

// networkUp dials immediately, unless the target requested a pause: the cause of the outage may be
// over. If the network had been down, a session that is up is checked for a while: TCP may wait for
// as long again before it retransmits.
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

// retryNow makes the next attempt due, unless there is a reason to wait.
func (o *outage) retryNow(now time.Duration) {
	if !o.needsAdministrator {
		o.dialAt, o.moreDials = max(now, o.notBefore), true
	}
}

// A login that runs while the network is down waits for its answer, or for TCP to retransmit, for
// as long as the session's time-out. When the network is up again a second connection is dialled in
// parallel; if that is established and the login has not ended by then, the login is cancelled.
const (
	parallelDialAfter = 300 * time.Millisecond // the login may continue by itself
	// parallelDialsUndelayed is how many logins of one outage are cancelled that early. The
	// delay then grows with each: on a network whose neighbours change all the time the login
	// of a slow target must complete eventually.
	parallelDialsUndelayed = 4
)

// scheduleParallelDial makes a dial due beside a running login. A test for a duplicate initiator
// name is cancelled: the network may have ended its sessions.
func (a *Agent) scheduleParallelDial(o *outage) {
	if o.running == testingName {
		o.stop()
	}
	if o.running == loggingIn && o.parallelDialAt == 0 {
		o.parallelDialAt = a.now() + parallelDialAfter*time.Duration(max(1, o.parallelDials-parallelDialsUndelayed+1))
	}
}

// parallelDial begins it when it is due, and returns when to call it again.
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

// useNextConn logs in over the connection that was dialled beside a failed login, if there is one.
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
