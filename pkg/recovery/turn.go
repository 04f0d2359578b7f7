package recovery

import (
	"errors"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// turn is a login of ours in the kernel. It makes sure before each step that no
// other program logs the session in, and follows the connection's state where
// one runs that might: giving a connection up sends no event
// (drivers/scsi/scsi_transport_iscsi.c: iscsi_stop_conn).
//
// mu is the innermost lock: nothing is called with it held.
type turn struct {
	listeners func() ([]uint32, error)
	bound     func() (bool, error)
	unread    func(uint32) (int, error)
	known     owners // that the session was taken from
	bindable  bool   // the first step may find a connection that is bound

	mu     sync.Mutex   // guards the rest
	step   session.Step // the last of ours
	seen   bool         // the connection that we bound was seen
	misses int          // looks in a row since that did not see it
	over   bool         // another program has taken part
}

const (
	turnLook   = 20 * time.Millisecond // what another program does to the connection shows for longer
	turnMisses = 3                     // an error of the connection's ends our login within so many looks
)

// newTurn is of a login that begins now.
func (a *Agent) newTurn(w *watched) *turn {
	return &turn{
		listeners: a.cfg.Listeners, bound: w.Bound, unread: a.cfg.Unread, known: w.taken,
		bindable: w.taken == nil || w.down.forced || w.down.bound || a.now()-w.down.told < settles,
	}
}

// permit refuses a step if another program takes part. The login's goroutine
// calls it.
func (t *turn) permit(step session.Step) error {
	ids, err := t.listeners()
	intruded := t.known.woke(t.unread) || err == nil && slices.ContainsFunc(ids, func(id uint32) bool { return !t.known.has(id) })
	bound, err := t.bound()
	t.mu.Lock()
	defer t.mu.Unlock()
	ours := t.step == session.StepBind || t.step == "" && t.bindable
	if intruded || err == nil && bound && !ours {
		t.over = true
	}
	if t.over {
		return session.ErrNotPermitted
	}
	t.step, t.seen, t.misses = step, false, 0
	return nil
}

// look tells whether the connection that we bound was taken away, or will be.
func (t *turn) look() bool {
	bound, err := t.bound()
	woke := t.known.woke(t.unread)
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case err != nil || t.step != session.StepBind || bound:
		t.seen, t.misses = t.seen || bound && t.step == session.StepBind, 0
	case t.seen:
		t.misses++
	}
	t.over = t.over || woke || t.misses >= turnMisses
	return t.over
}

// turn follows a login of a session that was taken from its owner, and returns
// after how long to look again.
func (a *Agent) turn(w *watched) time.Duration {
	if w.taken == nil || w.down.doing != loggingIn {
		return SurveyEvery
	}
	if w.down.turn.look() {
		w.down.stop()
	}
	return turnLook
}

// brokenInto gives a session back after a login in which its owner took part. The
// kernel has one login at a time and refuses the second (drivers/scsi/libiscsi.c:
// iscsi_conn_send_pdu, EPERM).
func (a *Agent) brokenInto(w *watched, err error) bool {
	t := w.down.turn
	w.down.turn = nil
	t.mu.Lock()
	over := t.over
	t.mu.Unlock()
	if !over && (w.taken == nil || !errors.Is(err, unix.EPERM)) {
		return false
	}
	w.down.closeNext()
	w.down.lastErr = nil // it is not about the target
	if w.taken != nil {
		a.standBack(w, "another program logs it in")
	}
	return true
}
