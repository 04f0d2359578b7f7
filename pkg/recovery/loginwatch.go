package recovery

import (
	"errors"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// loginWatch watches a login of the agent in the kernel. It checks before each step that no other
// program logs in to the session, and follows the connection's state where such a program runs:
// stopping a connection sends no event (drivers/scsi/scsi_transport_iscsi.c: iscsi_stop_conn).
//
// mu is the innermost lock: nothing is called with it held.
type loginWatch struct {
	listeners  func() ([]uint32, error)
	bound      func() (bool, error)
	unread     func(uint32) (int, error)
	takenFrom  owners // from which the session was taken
	mayBeBound bool   // a connection may be bound at the first step

	mu        sync.Mutex   // guards the rest
	step      session.Step // the last step of the agent
	boundSeen bool         // the agent's bound connection was seen
	misses    int          // successive checks since that did not see it
	intruded  bool         // another program has logged in
}

const (
	loginCheckEvery  = 20 * time.Millisecond // what another program does to the connection is visible for longer
	maxUnboundChecks = 3                     // an error of the connection ends the login within so many checks
)

// newLoginWatch returns the watch of a login that begins now.
func (a *Agent) newLoginWatch(w *sessionState) *loginWatch {
	return &loginWatch{
		listeners: a.cfg.Listeners, bound: w.Bound, unread: a.cfg.Unread, takenFrom: w.takenFrom,
		mayBeBound: w.takenFrom == nil || w.down.needsLogin || w.down.wasBound || a.now()-w.down.endEventAt < settleTime,
	}
}

// permit refuses a step if another program logs in. The login's goroutine calls it.
func (t *loginWatch) permit(step session.Step) error {
	ids, err := t.listeners()
	intruded := t.takenFrom.resumedReading(t.unread) || err == nil && slices.ContainsFunc(ids, func(id uint32) bool { return !t.takenFrom.has(id) })
	bound, err := t.bound()
	t.mu.Lock()
	defer t.mu.Unlock()
	ours := t.step == session.StepBind || t.step == "" && t.mayBeBound
	if intruded || err == nil && bound && !ours {
		t.intruded = true
	}
	if t.intruded {
		return session.ErrNotPermitted
	}
	t.step, t.boundSeen, t.misses = step, false, 0
	return nil
}

// check reports whether another program has stopped the agent's connection, or is about to.
func (t *loginWatch) check() bool {
	bound, err := t.bound()
	woke := t.takenFrom.resumedReading(t.unread)
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case err != nil || t.step != session.StepBind || bound:
		t.boundSeen, t.misses = t.boundSeen || bound && t.step == session.StepBind, 0
	case t.boundSeen:
		t.misses++
	}
	t.intruded = t.intruded || woke || t.misses >= maxUnboundChecks
	return t.intruded
}

// checkLogin checks the login of a session that was taken from its owner, and returns when to call
// it again.
func (a *Agent) checkLogin(w *sessionState) time.Duration {
	if w.takenFrom == nil || w.down.running != loggingIn {
		return SurveyEvery
	}
	if w.down.loginWatch.check() {
		w.down.stop()
	}
	return loginCheckEvery
}

// yieldIfIntruded returns a session to its owner if that logged in at the same time. The kernel has
// one login at a time and refuses the second (drivers/scsi/libiscsi.c: iscsi_conn_send_pdu, EPERM).
func (a *Agent) yieldIfIntruded(w *sessionState, err error) bool {
	t := w.down.loginWatch
	w.down.loginWatch = nil
	t.mu.Lock()
	over := t.intruded
	t.mu.Unlock()
	if !over && (w.takenFrom == nil || !errors.Is(err, unix.EPERM)) {
		return false
	}
	w.down.closeNextConn()
	w.down.lastErr = nil // it is not an error of the target
	if w.takenFrom != nil {
		a.returnSession(w, "another program logs it in")
	}
	return true
}
