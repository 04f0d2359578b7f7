package kerneltest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
)

// Kernel has sessions, and takes over the TCP connections that are bound to them as the real one
// does: with a reference of its own, until StopConn. It has one connection per session, and each
// request must be well-formed.
type Kernel struct {
	// Refuse, if set, may refuse a request. It is called before the request is carried out. Set
	// it before the first request.
	Refuse func(r Request) unix.Errno
	// FirstSID is the id of the first session less one.
	FirstSID uint32
	// Sysfs is where it shows its sessions, which is the test's; empty: /sys. Set it before
	// Transport.
	Sysfs kernel.Sysfs

	socket *Socket

	mu       sync.Mutex // guards the rest
	requests []Request
	errs     []error
	sessions map[uint32]*session
	last     uint32
}

type session struct {
	conn  net.Conn
	tasks sync.WaitGroup
}

// New returns a kernel without sessions.
func New() *Kernel {
	k := &Kernel{sessions: map[uint32]*session{}}
	k.socket = NewSocket(k.answer)
	return k
}

// Transport opens a transport to the kernel.
func (k *Kernel) Transport() *kernel.Transport {
	return kernel.New(k.socket, Handle, cmp.Or(k.Sysfs, "/sys"))
}

// Requests returns the requests so far.
func (k *Kernel) Requests() []Request {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]Request(nil), k.requests...)
}

// Errs returns the errors in the requests.
func (k *Kernel) Errs() []error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]error(nil), k.errs...)
}

// Close closes the connections of all sessions.
func (k *Kernel) Close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range k.sessions {
		s.stop()
	}
}

func (k *Kernel) answer(b []byte) [][]byte {
	r, err := Parse(b)
	if r.Type == BindConn {
		// A descriptor that is not open has no name, which is an error later.
		r.Socket, _ = os.Readlink(fmt.Sprintf("/proc/self/fd/%d", r.FD))
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.requests = append(k.requests, r)
	if err != nil {
		k.errs = append(k.errs, err)
		return [][]byte{Refusal(b, unix.EINVAL)}
	}
	if k.Refuse != nil {
		if errno := k.Refuse(r); errno != 0 {
			return [][]byte{Refusal(b, errno)}
		}
	}
	if r.Type == CreateSession {
		if k.last == 0 {
			k.last = k.FirstSID
		}
		k.last++
		k.sessions[k.last] = &session{}
		return [][]byte{Reply(b, k.last, k.last+100)}
	}
	s := k.sessions[r.SID]
	if s == nil {
		return [][]byte{Refusal(b, unix.EINVAL)}
	}
	return k.session(s, r, b)
}

// session answers a request to a session. Which errors are a refusal and which a return code is as
// in drivers/scsi/scsi_transport_iscsi.c.
func (k *Kernel) session(s *session, r Request, b []byte) [][]byte {
	switch r.Type {
	case CreateConn:
		return [][]byte{Reply(b, r.SID, r.CID)}
	case DestroySession:
		delete(k.sessions, r.SID)
	case DestroyAsync:
		delete(k.sessions, r.SID)
		return [][]byte{Reply(b), Event(Destroyed, nil, r.SID+100, r.SID)}
	case BindConn:
		if s.conn != nil {
			return [][]byte{ReturnCode(b, unix.ENOTCONN)}
		}
		if err := k.bind(s, r); err != nil {
			k.errs = append(k.errs, err)
			return [][]byte{ReturnCode(b, unix.EEXIST)}
		}
	case StopConn:
		s.stop()
	case SetParam:
		if s.conn == nil {
			return [][]byte{Refusal(b, unix.ENOTCONN)}
		}
	case SendPDU:
		if s.conn == nil {
			return [][]byte{ReturnCode(b, unix.ENOTCONN)}
		}
		if err := send(s.conn, r.PDU); err != nil {
			return [][]byte{ReturnCode(b, unix.EPIPE)}
		}
	}
	return [][]byte{Reply(b)}
}

// bind takes a reference to the caller's connection.
func (k *Kernel) bind(s *session, r Request) error {
	fd, err := unix.FcntlInt(uintptr(r.FD), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("bind: fd %d is not open: %w", r.FD, err)
	}
	f := os.NewFile(uintptr(fd), "bound connection")
	conn, err := net.FileConn(f) // with one more reference
	_ = f.Close()
	if err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	s.conn = conn
	s.tasks.Go(func() { k.deliver(conn, r.SID, r.CID) })
	return nil
}

// deliver sends the target's PDUs as events.
func (k *Kernel) deliver(conn net.Conn, sid, cid uint32) {
	const tcpConnClose = 1020 // ISCSI_ERR_TCP_CONN_CLOSE
	pipe := iscsi.NewTCPPipe(conn)
	for {
		p, err := pipe.Receive(context.Background())
		switch {
		case errors.Is(err, net.ErrClosed): // by stop
			return
		case err != nil:
			k.socket.Emit(Event(ConnError, nil, sid, cid, tcpConnClose))
			return
		}
		k.socket.Emit(Event(RecvPDU, append(p.BHS[:], p.Data...), sid, cid))
	}
}

// stop closes the connection, if there is one.
func (s *session) stop() {
	if s.conn != nil {
		_ = s.conn.Close()
		s.tasks.Wait()
		s.conn = nil
	}
}

// kernelTag is the initiator task tag that the kernel gives a login in place of the one in the PDU.
var kernelTag = [4]byte{0xde, 0xad, 0, 1}

func send(conn net.Conn, pdu []byte) error {
	p := &iscsi.PDU{BHS: [iscsi.BHSLen]byte(pdu), Data: pdu[iscsi.BHSLen:]}
	copy(p.BHS[16:20], kernelTag[:])
	b, err := p.MarshalBinary()
	if err != nil {
		return err
	}
	_, err = conn.Write(b)
	return err
}
