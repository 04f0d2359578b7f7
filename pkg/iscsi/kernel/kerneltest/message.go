package kerneltest

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// Handle is the transport handle of a fake kernel, as long as a real one.
const Handle = 0xffffffffc0561060

// Requests and events by number (include/scsi/iscsi_if.h: enum iscsi_uevent_e).
const (
	CreateSession  = 11
	DestroySession = 12
	CreateConn     = 13
	DestroyConn    = 14
	BindConn       = 15
	SetParam       = 16
	StartConn      = 17
	StopConn       = 18
	SendPDU        = 19
	DestroyAsync   = 43
	RecvPDU        = 101
	ConnError      = 102
	IfError        = 103
	Destroyed      = 104
)

// headerLen is struct nlmsghdr and struct iscsi_uevent.
const headerLen = 16 + 56

// Request is a decoded request. Fields that its type does not have are zero.
type Request struct {
	Type     uint32
	SID, CID uint32
	CmdSN    uint32 // CreateSession
	Commands uint16 // CreateSession
	Depth    uint16 // CreateSession
	FD       uint64 // BindConn
	Leading  uint32 // BindConn
	Socket   string // BindConn to a Kernel: the connection as /proc/PID/fd names it
	Flag     uint32 // StopConn
	Param    uint32 // SetParam
	Value    string // SetParam
	PDU      []byte // SendPDU: header and data
}

// Parse decodes a request and checks all that the kernel checks, and that unused fields are zero.
func Parse(b []byte) (Request, error) {
	if len(b) < headerLen {
		return Request{}, fmt.Errorf("request of %d bytes: the kernel would not even answer", len(b))
	}
	ne := binary.NativeEndian
	r := Request{Type: ne.Uint32(b[16:])}
	n := int(ne.Uint32(b))
	payload := b[headerLen:min(max(n, headerLen), len(b))]
	if err := r.fields(b[32:56], payload); err != nil {
		return r, fmt.Errorf("request %d: %w", r.Type, err)
	}
	switch {
	case n < headerLen || (n+3)&^3 != len(b):
		return r, fmt.Errorf("request %d: nlmsg_len %d in %d bytes", r.Type, n, len(b))
	case uint32(ne.Uint16(b[4:])) != r.Type:
		return r, fmt.Errorf("request %d: nlmsg_type %d", r.Type, ne.Uint16(b[4:]))
	case ne.Uint64(b[24:]) != Handle:
		return r, fmt.Errorf("request %d: transport handle %#x", r.Type, ne.Uint64(b[24:]))
	}
	if !zero(b[6:16], b[20:24], b[56:72], b[n:]) {
		return r, fmt.Errorf("request %d: reserved bytes are not zero: %x", r.Type, b)
	}
	return r, nil
}

// fields decodes the union u, which begins at 16 of the uevent, and the payload.
func (r *Request) fields(u, payload []byte) error {
	ne := binary.NativeEndian
	r.SID, r.CID = ne.Uint32(u), ne.Uint32(u[4:])
	rest, length := u[8:], 0
	switch r.Type {
	case CreateSession:
		r.SID, r.CID = 0, 0
		r.CmdSN, r.Commands, r.Depth = ne.Uint32(u), ne.Uint16(u[4:]), ne.Uint16(u[6:])
	case DestroySession, DestroyAsync, CreateConn, DestroyConn, StartConn:
	case BindConn:
		r.FD, r.Leading, rest = ne.Uint64(u[8:]), ne.Uint32(u[16:]), u[20:]
	case StopConn:
		r.Flag, rest = ne.Uint32(u[16:]), append(bytes.Clone(u[8:16]), u[20:]...)
	case SetParam:
		r.Param, length, rest = ne.Uint32(u[8:]), int(ne.Uint32(u[12:])), u[16:]
		value, end, ok := bytes.Cut(payload, []byte{0})
		if !ok || len(end) > 0 {
			return fmt.Errorf("value %q does not end with its only NUL", payload)
		}
		r.Value = string(value)
	case SendPDU:
		header, data := int(ne.Uint32(u[8:])), int(ne.Uint32(u[12:]))
		if header != 48 {
			return fmt.Errorf("PDU header of %d bytes", header)
		}
		length, rest, r.PDU = header+data, u[16:], payload
	default:
		return fmt.Errorf("no such request")
	}
	if length != len(payload) || !zero(rest) {
		return fmt.Errorf("payload of %d bytes, want %d; reserved bytes %x", len(payload), length, rest)
	}
	return nil
}

func zero(parts ...[]byte) bool {
	for _, p := range parts {
		if len(bytes.Trim(p, "\x00")) > 0 {
			return false
		}
	}
	return true
}

// Reply is the kernel's answer to a request: the request's head with the answer at 40 of the
// uevent, and no payload.
func Reply(request []byte, r ...uint32) []byte {
	b := bytes.Clone(request[:headerLen])
	binary.NativeEndian.PutUint32(b, headerLen)
	for i, v := range r {
		binary.NativeEndian.PutUint32(b[16+40+4*i:], v)
	}
	return b
}

// ReturnCode is the answer of a call that returns its error in the union.
func ReturnCode(request []byte, errno unix.Errno) []byte { return Reply(request, -uint32(errno)) }

// Refusal is the answer ISCSI_KEVENT_IF_ERROR.
func Refusal(request []byte, errno unix.Errno) []byte {
	b := Reply(request)
	binary.NativeEndian.PutUint32(b[16:], IfError)
	binary.NativeEndian.PutUint32(b[20:], -uint32(errno))
	return b
}

// Event is a multicast of the kernel: its netlink type is 0. The message is padded to 4 bytes and
// its length includes the padding, as the kernel's does.
func Event(typ uint32, payload []byte, r ...uint32) []byte {
	n := (headerLen + len(payload) + 3) &^ 3
	b := make([]byte, n)
	binary.NativeEndian.PutUint32(b, uint32(n))
	binary.NativeEndian.PutUint32(b[16:], typ)
	binary.NativeEndian.PutUint64(b[24:], Handle)
	for i, v := range r {
		binary.NativeEndian.PutUint32(b[16+40+4*i:], v)
	}
	copy(b[headerLen:], payload)
	return b
}
