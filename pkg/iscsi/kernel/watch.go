package kernel

import (
	"context"
	"errors"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// Event is an event of a connection on which no login is running.
type Event struct {
	SID, CID uint32
	// Stops is Session.Stops when the event came: an event of a connection that was stopped
	// since has a smaller one. The kernel also reports the end of a connection while stopping
	// it (drivers/scsi/iscsi_tcp.c: iscsi_sw_tcp_conn_stop shuts the socket down, whose state
	// is then found changed).
	Stops uint32
	// Err is a ConnError, or ErrEventsLost: then the ids are zero and the state of every
	// session must be read again.
	Err error
	// PDU came from the target and is for an agent to answer: an Async Message, a Reject, or
	// the Login Response of another program's login.
	PDU *iscsi.PDU
}

// watchRoom is for how many events wait to be read; with more ErrEventsLost takes their place.
const watchRoom = 64

// Watch returns the events of all sessions, also those of other programs. There is one channel per
// transport; it is never closed.
func (t *Transport) Watch() <-chan Event {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.watch == nil {
		t.watch = make(chan Event, watchRoom)
	}
	return t.watch
}

// publish sends an event to the watcher. The last place in the queue is for ErrEventsLost.
func (t *Transport) publish(e Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.publishLocked(e)
}

// publishLocked is publish; mu is held.
func (t *Transport) publishLocked(e Event) {
	switch {
	case t.watch == nil || len(t.watch) == cap(t.watch):
	case len(t.watch) == cap(t.watch)-1:
		t.watch <- Event{Err: ErrEventsLost}
	default:
		t.watch <- e
	}
}

// Flush returns when every event that the kernel sent before the call has been passed on: the
// answer to a request comes behind them. The request sets a parameter that no kernel has, which
// changes nothing.
func (s *Session) Flush(ctx context.Context) error {
	ev := &uevent{typ: setParam, payload: []byte{0}}
	ev.putU(s.SID, s.CID, unknownParam, uint32(len(ev.payload)))
	_, err := s.t.request(ctx, ev, s.String())
	var refused *RequestError
	if errors.As(err, &refused) {
		return nil
	}
	return err
}

// unknownParam is not in enum iscsi_param: the kernel answers ENOSYS, or ENOTCONN without a
// connection (drivers/scsi/libiscsi.c: iscsi_set_param; drivers/scsi/scsi_transport_iscsi.c:
// iscsi_if_set_param).
const unknownParam = 0xffff

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

// Adopt returns a session that is in the kernel already, made by another process. Nothing is sent
// to the kernel.
func (t *Transport) Adopt(sid, hostNo uint32) *Session {
	return &Session{t: t, SID: sid, HostNo: hostNo}
}

// AdoptBound is Adopt for a session that the other process has bound: until Stop it counts as one
// with a connection.
func (t *Transport) AdoptBound(sid, hostNo uint32) *Session {
	s := t.Adopt(sid, hostNo)
	s.bound.Store(true)
	return s
}

// Migrate returns a session of another transport, which was closed, as a session of this transport.
func (t *Transport) Migrate(s *Session) *Session {
	n := &Session{t: t, SID: s.SID, HostNo: s.HostNo, CID: s.CID, destroyed: s.destroyed}
	n.bound.Store(s.Bound())
	return n
}

// Stops is how many connections of the session this transport has stopped.
func (s *Session) Stops() uint32 {
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	return s.t.stops[connID{s.SID, s.CID}]
}

// State returns the kernel's state of the session: LOGGED_IN, FAILED or FREE
// (drivers/scsi/scsi_transport_iscsi.c: iscsi_session_state_names). FREE, after the recovery
// time-out, still comes back by a login. os.ErrNotExist: the session no longer exists.
func (s *Session) State() (string, error) {
	return s.t.sysfs.Session(s.SID, "state")
}

// ConnState returns the kernel's state of the connection: up, down, failed or bound
// (drivers/scsi/scsi_transport_iscsi.c: connection_state_names).
func (s *Session) ConnState() (string, error) {
	return s.t.sysfs.Connection(s.SID, s.CID, "state")
}

// PortID is the netlink port id of the socket, as the column Pid of /proc/net/netlink shows it; 0
// for a socket that is not the kernel's.
func (t *Transport) PortID() uint32 {
	if s, ok := t.sock.(*netlinkSocket); ok {
		return s.portID()
	}
	return 0
}
