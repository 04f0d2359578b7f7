package kernel

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// Pipe carries login PDUs over a connection that the kernel owns. The kernel writes CmdSN and the
// initiator task tag into what is sent, and checks the tag of what comes; Receive puts the sender's
// tag back.
type Pipe struct {
	s   *Session
	in  chan received
	itt [4]byte // tag of the last request, as its sender wrote it
	// answered is set once a PDU was received.
	answered bool
}

type received struct {
	pdu   []byte // header and data
	err   error
	stops uint32 // of an error, see Event.Stops
}

var _ iscsi.Pipe = (*Pipe)(nil)

// Pipe returns the connection's pipe, empty: it does not receive PDUs of an earlier connection of
// the session. Close it after the login.
func (s *Session) Pipe() *Pipe {
	p := &Pipe{s: s, in: make(chan received, 16)}
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	s.t.pipes[connID{s.SID, s.CID}] = p
	return p
}

// Close ends the pipe; the connection stays. If it has failed after the last PDU that was received,
// [Transport.Watch] reports that.
func (p *Pipe) Close() {
	p.s.t.mu.Lock()
	defer p.s.t.mu.Unlock()
	id := connID{p.s.SID, p.s.CID}
	if p.s.t.pipes[id] != p {
		return
	}
	delete(p.s.t.pipes, id)
	for len(p.in) > 0 {
		if d := <-p.in; d.err != nil {
			p.s.t.publishLocked(Event{SID: id.sid, CID: id.cid, Stops: d.stops, Err: d.err})
		}
	}
}

func (p *Pipe) deliver(d received) {
	select {
	case p.in <- d:
	default: // a login has one outstanding PDU; only a faulty target sends 16
	}
}

// Send implements iscsi.Pipe. A Login Request that the kernel still refuses after maxBusy, because
// it has not finished the last one, is a BusyError.
func (p *Pipe) Send(ctx context.Context, pdu *iscsi.PDU) error {
	if len(pdu.AHS) > 0 || len(pdu.Data) > iscsi.LoginDataLen {
		return fmt.Errorf("send pdu: %w", unix.EMSGSIZE)
	}
	if err := pdu.SetLengths(); err != nil {
		return fmt.Errorf("send pdu: %w", err)
	}
	copy(p.itt[:], pdu.BHS[16:20])
	// struct msg_send_pdu { uint32_t sid; uint32_t cid; uint32_t hdr_size; uint32_t data_size;
	// } send_pdu;
	ev := &uevent{typ: sendPDU, payload: bytes.Join([][]byte{pdu.BHS[:], pdu.Data}, nil)}
	ev.putU(p.s.SID, p.s.CID, iscsi.BHSLen, uint32(len(pdu.Data)))
	return p.sendWhenFree(ctx, pdu.Opcode(), ev)
}

// Receive implements iscsi.Pipe. A connection that broke is a ConnError.
func (p *Pipe) Receive(ctx context.Context) (*iscsi.PDU, error) {
	select {
	case d := <-p.in:
		if d.err != nil {
			return nil, d.err
		}
		p.answered = true
		return p.unmarshal(d.pdu)
	case <-p.s.t.done:
		return nil, fmt.Errorf("receive pdu: %w", p.s.t.readErr)
	case <-ctx.Done():
		return nil, fmt.Errorf("receive pdu: %w", ctx.Err())
	}
}

var errShortPDU = errors.New("kernel delivered less than the header says")

// unmarshal puts the sender's tag back into what the kernel delivered.
func (p *Pipe) unmarshal(b []byte) (*iscsi.PDU, error) {
	pdu, err := unmarshalPDU(b)
	if err == nil {
		copy(pdu.BHS[16:20], p.itt[:])
	}
	return pdu, err
}

// unmarshalPDU reads the PDU of an event, which netlink may have padded.
func unmarshalPDU(b []byte) (*iscsi.PDU, error) {
	if len(b) < iscsi.BHSLen {
		return nil, errShortPDU
	}
	pdu := &iscsi.PDU{BHS: [iscsi.BHSLen]byte(b)}
	data := b[iscsi.BHSLen:]
	n := int(pdu.BHS[5])<<16 | int(pdu.BHS[6])<<8 | int(pdu.BHS[7])
	if n > len(data) {
		return nil, errShortPDU
	}
	pdu.Data = data[:n:n]
	return pdu, nil
}

func isErrno(err error, errno unix.Errno) bool { return errors.Is(err, errno) }
