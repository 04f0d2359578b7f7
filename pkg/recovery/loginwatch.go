package recovery

import (
	"errors"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// loginWatch is a login of ours in the kernel. It makes sure before each step that no
// other program logs the session in, and follows the connection's state where
// one runs that might: giving a connection up sends no event
// (drivers/scsi/scsi_transport_iscsi.c: iscsi_stop_conn).
//
// mu is the innermost lock: nothing is called with it held.
type loginWatch struct {
	listeners  func() ([]uint32, error)
	bound      func() (bool, error)
	unread     func(uint32) (int, error)
	takenFrom  owners // that the session was taken from
	mayBeBound bool   // the first step may find a connection that is bound

	mu        sync.Mutex   // guards the rest
	step      session.Step // the last of ours
	boundSeen bool         // the connection that we bound was seen
	misses    int          // looks in a row since that did not see it
	intruded  bool         // another program has taken part
}

const (
	loginCheckEvery  = 20 * time.Millisecond // what another program does to the connection shows for longer
	maxUnboundChecks = 3                     // an error of the connection's ends our login within so many looks
)

// newLoginWatch is of a login that begins now.
func (a *Agent) newLoginWatch(w *sessionState) *loginWatch {
	return &loginWatch{
		listeners: a.cfg.Listeners, bound: w.Bound, unread: a.cfg.Unread, takenFrom: w.takenFrom,
		mayBeBound: w.takenFrom == nil || w.down.needsLogin || w.down.wasBound || a.now()-w.down.endEventAt < settleTime,
	}
}

// permit refuses a step if another program takes part. The login's goroutine
// calls it.
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

// check tells whether the connection that we bound was taken away, or will be.
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

// checkLogin follows a login of a session that was taken from its owner, and returns
// after how long to look again.
func (a *Agent) checkLogin(w *sessionState) time.Duration {
	if w.takenFrom == nil || w.down.running != loggingIn {
		return SurveyEvery
	}
	if w.down.loginWatch.check() {
		w.down.stop()
	}
	return loginCheckEvery
}

// yieldIfIntruded gives a session back after a login in which its owner took part. The
// kernel has one login at a time and refuses the second (drivers/scsi/libiscsi.c:
// iscsi_conn_send_pdu, EPERM).
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
	w.down.lastErr = nil // it is not about the target
	if w.takenFrom != nil {
		a.returnSession(w, "another program logs it in")
	}
	return true
}
