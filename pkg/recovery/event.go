package recovery

import (
	"errors"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
)

// event handles an event of the kernel.
func (a *Agent) event(e kernel.Event) {
	if errors.Is(e.Err, kernel.ErrEventsLost) {
		a.inspectAll()
		return
	}
	for _, w := range a.sessions {
		if w.ID() != e.SID || w.ended {
			continue
		}
		switch {
		case e.Err != nil && e.Stops != w.Stops(): // of a connection before this one
		case e.Err != nil:
			a.connectionEnded(w, e)
		case e.PDU.Opcode() == iscsi.OpLoginResponse && (w.down == nil || w.down.running != loggingIn):
			a.otherLogin(w)
		case e.PDU.Opcode() == iscsi.OpAsyncMessage:
			a.async(w, iscsi.ParseAsyncMessage(e.PDU))
		}
	}
}

// connectionEnded handles the end of the kernel's connection.
func (a *Agent) connectionEnded(w *sessionState, e kernel.Event) {
	if o := w.down; o != nil {
		o.endEvent = &e
		if o.stillWorks != nil { // now the kernel knows too
			o.stillWorks, o.needsLogin, o.cause = nil, false, e.Err
		}
	}
	a.beginOutage(w, e.Err)
	w.down.endEventAt = a.now()
	if w.IsPath() {
		a.stopConnection(w)
	}
}

// async acts on an asynchronous message of the target (RFC 7143 11.9.1). The kernel passes it on
// and does nothing about it. Sessions of iscsid are left to iscsid.
func (a *Agent) async(w *sessionState, m iscsi.AsyncMessage) {
	if w.down != nil || a.foreign(w) {
		return
	}
	seconds := func(n uint16) time.Duration { return time.Duration(n) * time.Second }
	switch m.Event {
	case iscsi.AsyncLogoutRequest:
		a.beginOutage(w, asyncError(m.Event))
		a.logout(w, min(max(seconds(m.Parameter3), time.Second), logoutLimit))
	case iscsi.AsyncDropConnection, iscsi.AsyncDropSession:
		// Parameter1 is the CID, which is always 0 here.
		if m.Event == iscsi.AsyncDropConnection && m.Parameter1 != 0 {
			return
		}
		a.beginOutage(w, asyncError(m.Event))
		a.pauseFor(w, seconds(m.Parameter2), a.cfg.Log.Infof, "pause requested by the target: waiting") // Time2Wait
	case iscsi.AsyncNegotiate:
		a.beginOutage(w, asyncError(m.Event)) // a login negotiates everything
	case iscsi.AsyncSCSI: // about LUNs that no command could have reported it of
		w.LUNsChanged()
		return
	default: // tasks that were aborted are the kernel's
		return
	}
	w.down.needsLogin = true
}

// asyncError is the cause of an outage that the target requested.
type asyncError iscsi.AsyncEvent

// Error implements error.
func (e asyncError) Error() string { return "target sent: " + iscsi.AsyncEvent(e).String() }
