package iscsi

import (
	"encoding/binary"
	"fmt"
)

// RejectReason is why a target rejected a PDU (RFC 7143 11.17.1).
type RejectReason uint8

// ParseReject returns the reason in a Reject PDU.
func ParseReject(p *PDU) RejectReason { return RejectReason(p.BHS[2]) }

// PDU encodes a Reject of the PDU with that header, as a target does (RFC 7143 11.17).
func (r RejectReason) PDU(rejected [BHSLen]byte) *PDU {
	p := &PDU{Data: rejected[:]}
	p.BHS[0], p.BHS[1], p.BHS[2] = byte(OpReject), finalBit, byte(r)
	binary.BigEndian.PutUint32(p.BHS[16:], reservedTag)
	p.BHS[7] = BHSLen
	return p
}

// String returns the reason in words, or its number in hex.
func (r RejectReason) String() string {
	for _, e := range rejectReasons {
		if e.reason == r {
			return e.words
		}
	}
	return fmt.Sprintf("reason 0x%02x", uint8(r))
}

var rejectReasons = [...]struct {
	reason RejectReason
	words  string
}{
	{0x02, "data digest error"},
	{0x03, "SNACK reject"},
	{0x04, "protocol error"},
	{0x05, "command not supported"},
	{0x06, "too many immediate commands"},
	{0x07, "task in progress"},
	{0x08, "invalid data acknowledgement"},
	{0x09, "invalid PDU field"},
	{0x0a, "out of resources"},
	{0x0c, "waiting for logout"},
}

// AsyncEvent is the event of an Asynchronous Message (RFC 7143 11.9.1).
type AsyncEvent uint8

// The events of RFC 7143 11.9.1.
const (
	AsyncSCSI           AsyncEvent = 0
	AsyncLogoutRequest  AsyncEvent = 1
	AsyncDropConnection AsyncEvent = 2
	AsyncDropSession    AsyncEvent = 3
	AsyncNegotiate      AsyncEvent = 4
	AsyncTasksAborted   AsyncEvent = 5
)

// String returns the event in words, or its number.
func (e AsyncEvent) String() string {
	switch e {
	case AsyncSCSI:
		return "SCSI event"
	case AsyncLogoutRequest:
		return "target requests logout"
	case AsyncDropConnection:
		return "target drops the connection"
	case AsyncDropSession:
		return "target drops the session"
	case AsyncNegotiate:
		return "target requests negotiation"
	case AsyncTasksAborted:
		return "target aborted the tasks of a logical unit"
	}
	return fmt.Sprintf("event %d", uint8(e))
}

// AsyncMessage is the header of an Asynchronous Message (RFC 7143 11.9).
type AsyncMessage struct {
	Event AsyncEvent
	// Parameter1 to 3 depend on the event. For a logout request, 3 is within how many seconds;
	// for a drop, 1 is the connection, 2 is Time2Wait and 3 is Time2Retain, both in seconds.
	Parameter1, Parameter2, Parameter3 uint16
}

// ParseAsyncMessage reads the header of an Asynchronous Message.
func ParseAsyncMessage(p *PDU) AsyncMessage {
	return AsyncMessage{
		Event:      AsyncEvent(p.BHS[36]),
		Parameter1: binary.BigEndian.Uint16(p.BHS[38:]),
		Parameter2: binary.BigEndian.Uint16(p.BHS[40:]),
		Parameter3: binary.BigEndian.Uint16(p.BHS[42:]),
	}
}

// PDU encodes the message without data, as a target does.
func (m AsyncMessage) PDU() *PDU {
	p := new(PDU)
	p.BHS[0], p.BHS[1], p.BHS[36] = byte(OpAsyncMessage), finalBit, byte(m.Event)
	binary.BigEndian.PutUint32(p.BHS[16:], reservedTag)
	binary.BigEndian.PutUint16(p.BHS[38:], m.Parameter1)
	binary.BigEndian.PutUint16(p.BHS[40:], m.Parameter2)
	binary.BigEndian.PutUint16(p.BHS[42:], m.Parameter3)
	return p
}
