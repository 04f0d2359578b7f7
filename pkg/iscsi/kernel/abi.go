package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"syscall"
)

// eventType is a request to the kernel or an event from it (include/scsi/iscsi_if.h: enum
// iscsi_uevent_e).
type eventType uint32

const (
	createSession  eventType = 11 // ISCSI_UEVENT_CREATE_SESSION = UEVENT_BASE + 1
	destroySession eventType = 12 // ISCSI_UEVENT_DESTROY_SESSION
	createConn     eventType = 13 // ISCSI_UEVENT_CREATE_CONN
	destroyConn    eventType = 14 // ISCSI_UEVENT_DESTROY_CONN
	bindConn       eventType = 15 // ISCSI_UEVENT_BIND_CONN
	setParam       eventType = 16 // ISCSI_UEVENT_SET_PARAM
	startConn      eventType = 17 // ISCSI_UEVENT_START_CONN
	stopConn       eventType = 18 // ISCSI_UEVENT_STOP_CONN
	sendPDU        eventType = 19 // ISCSI_UEVENT_SEND_PDU

	destroySessionAsync eventType = 43 // ISCSI_UEVENT_DESTROY_SESSION_ASYNC

	recvPDU          eventType = 101 // ISCSI_KEVENT_RECV_PDU = KEVENT_BASE + 1
	connError        eventType = 102 // ISCSI_KEVENT_CONN_ERROR
	ifError          eventType = 103 // ISCSI_KEVENT_IF_ERROR
	sessionDestroyed eventType = 104 // ISCSI_KEVENT_DESTROY_SESSION
)

var eventNames = map[eventType]string{
	createSession: "create session", destroySession: "destroy session", destroySessionAsync: "destroy session",
	createConn: "create connection", destroyConn: "destroy connection",
	bindConn: "bind connection", setParam: "set parameter",
	startConn: "start connection", stopConn: "stop connection", sendPDU: "send pdu",
	recvPDU: "receive pdu", connError: "connection error", ifError: "interface error", sessionDestroyed: "session destroyed",
}

// String names the event.
func (t eventType) String() string {
	if s, ok := eventNames[t]; ok {
		return s
	}
	return fmt.Sprintf("event %d", uint32(t))
}

// Sizes and offsets in bytes.
//
//	struct iscsi_uevent {
//		uint32_t type;              //  0
//		uint32_t iferror;           //  4
//		uint64_t transport_handle;  //  8
//		union { ... } u;            // 16, 24 bytes
//		union { ... } r;            // 40, 16 bytes
//	};
const (
	nlHeaderLen = 16 // struct nlmsghdr (include/uapi/linux/netlink.h)
	ueventLen   = 56
	offU        = 16
	offR        = 40
	lenU        = offR - offU
	lenR        = ueventLen - offR
)

// uevent is struct iscsi_uevent with what follows it.
type uevent struct {
	typ     eventType
	iferror int32
	handle  uint64
	u       [lenU]byte
	r       [lenR]byte
	payload []byte
}

// native is the byte order of the machine.
var native = binary.NativeEndian

// marshal returns the netlink message that carries ev as a request.
func (ev *uevent) marshal() []byte {
	n := nlHeaderLen + ueventLen + len(ev.payload)
	b := make([]byte, (n+3)&^3)
	native.PutUint32(b[0:], uint32(n))      // nlmsg_len
	native.PutUint16(b[4:], uint16(ev.typ)) // nlmsg_type
	m := b[nlHeaderLen:]
	native.PutUint32(m[0:], uint32(ev.typ))
	native.PutUint32(m[4:], uint32(ev.iferror))
	native.PutUint64(m[8:], ev.handle)
	copy(m[offU:], ev.u[:])
	copy(m[offR:], ev.r[:])
	copy(m[ueventLen:], ev.payload)
	return b
}

var errShort = errors.New("short netlink message")

// unmarshal reads one netlink message and returns its netlink type and the bytes behind it. The
// uevent keeps no part of b.
func (ev *uevent) unmarshal(b []byte) (nlType uint16, rest []byte, err error) {
	if len(b) < nlHeaderLen+ueventLen {
		return 0, nil, errShort
	}
	n := int(native.Uint32(b[0:]))
	if n < nlHeaderLen+ueventLen || n > len(b) {
		return 0, nil, errShort
	}
	m := b[nlHeaderLen:n]
	*ev = uevent{
		typ:     eventType(native.Uint32(m[0:])),
		iferror: int32(native.Uint32(m[4:])),
		handle:  native.Uint64(m[8:]),
		u:       [lenU]byte(m[offU:]),
		r:       [lenR]byte(m[offR:]),
		payload: append([]byte(nil), m[ueventLen:]...),
	}
	return native.Uint16(b[4:]), b[min((n+3)&^3, len(b)):], nil
}

// putU writes consecutive 32-bit fields of the request union.
func (ev *uevent) putU(fields ...uint32) {
	for i, v := range fields {
		native.PutUint32(ev.u[4*i:], v)
	}
}

// RequestError is the kernel's refusal of a request.
type RequestError struct {
	Request string // "bind connection"
	Object  string // "session 1", "TARGET_NAME"
	Errno   syscall.Errno
}

// Error implements error.
func (e *RequestError) Error() string {
	return fmt.Sprintf("%s %s: %v", e.Request, e.Object, e.Errno)
}

// Unwrap gives the errno to errors.Is.
func (e *RequestError) Unwrap() error { return e.Errno }
