package kernel

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// Event is something that happened to a connection while nobody logs in by it.
type Event struct {
	SID, CID uint32
	// Err is a ConnError, or ErrEventsLost: then the ids are zero and the state
	// of every session must be read again.
	Err error
	// PDU came from the target and is for an agent to answer: an Async Message,
	// a Reject, or the Login Response of a login that is somebody else's.
	PDU *iscsi.PDU
}

// watchRoom is for how many events wait to be read; with more ErrEventsLost
// takes their place.
const watchRoom = 64

// Watch returns the events of all sessions, also of other people's. There is
// one channel per transport; it is never closed.
func (t *Transport) Watch() <-chan Event {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.watch == nil {
		t.watch = make(chan Event, watchRoom)
	}
	return t.watch
}

// tell passes an event to who watches. The last place in the queue is for
// saying that there was no more room.
func (t *Transport) tell(e Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.watch == nil || len(t.watch) == cap(t.watch):
	case len(t.watch) == cap(t.watch)-1:
		t.watch <- Event{Err: ErrEventsLost}
	default:
		t.watch <- e
	}
}

// toEvent reads a PDU or an error out of what the kernel sent.
func toEvent(ev *uevent, id connID) (Event, bool) {
	e := Event{SID: id.sid, CID: id.cid}
	switch ev.typ {
	case connError:
		e.Err = ConnError(native.Uint32(ev.r[8:]))
	case recvPDU:
		pdu, err := unmarshalPDU(ev.payload)
		if err != nil {
			return e, false
		}
		e.PDU = pdu
	default:
		return e, false
	}
	return e, true
}

// Adopt returns a session that is in the kernel already, made by another
// process or an earlier one. Nothing is asked of the kernel.
func (t *Transport) Adopt(sid, hostNo uint32) *Session {
	return &Session{t: t, SID: sid, HostNo: hostNo}
}

// State is the session's state in the kernel's word: LOGGED_IN, FAILED or FREE
// (drivers/scsi/scsi_transport_iscsi.c: iscsi_session_state_names). FREE, after
// the recovery time-out, still comes back by a login. os.ErrNotExist: there is
// no such session any more.
func (s *Session) State() (string, error) {
	return s.attribute("iscsi_session/session%d/state", s.SID)
}

// ConnState is the connection's state in the kernel's word: up, down, failed or
// bound (drivers/scsi/scsi_transport_iscsi.c: connection_state_names).
func (s *Session) ConnState() (string, error) {
	return s.attribute("iscsi_connection/connection%d:%d/state", s.SID, s.CID)
}

func (s *Session) attribute(format string, args ...any) (string, error) {
	b, err := os.ReadFile(s.t.sysfs + "/class/" + fmt.Sprintf(format, args...))
	return strings.TrimSpace(string(b)), err
}

// PortID is the number by which the kernel knows the socket, as the column Pid
// of /proc/net/netlink shows it; 0 for a socket that is not the kernel's.
func (t *Transport) PortID() uint32 {
	if s, ok := t.sock.(*netlinkSocket); ok {
		return s.portID()
	}
	return 0
}

// End closes the connection for good and removes the session and its disks,
// whatever their state: what waits for them gets errors. Nothing is said to the
// target.
func (s *Session) End(ctx context.Context) error {
	return errors.Join(s.stop(ctx, stopTerm), s.Destroy(ctx))
}
