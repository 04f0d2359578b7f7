package kernel

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// groupISCSID is the bit of the multicast group of the kernel's events (include/scsi/iscsi_if.h:
// ISCSI_NL_GRP_ISCSID is group 1).
const groupISCSID = 1

// receiveLen holds the longest event: a login response with 8192 bytes.
const receiveLen = 16 << 10

// Socket sends and receives whole datagrams. The one of [Open] is the kernel's; package kerneltest
// has another.
type Socket interface {
	// Send sends a request. When it returns, the kernel has sent the answer.
	Send(b []byte) error
	// Receive waits for a datagram, which is valid until the next call. It returns os.ErrClosed
	// after Close, and unix.ENOBUFS when events were lost.
	Receive() ([]byte, error)
	Close() error
}

// netlinkSocket is a socket to the kernel.
type netlinkSocket struct {
	file *os.File
	buf  []byte
}

func openSocket() (*netlinkSocket, error) {
	s, err := newSocket(unix.NETLINK_ISCSI)
	if errors.Is(err, unix.EPROTONOSUPPORT) {
		return nil, fmt.Errorf("open NETLINK_ISCSI: scsi_transport_iscsi is not loaded: %w", err)
	} else if err != nil {
		return nil, fmt.Errorf("open NETLINK_ISCSI: %w", err)
	}
	return s, nil
}

// newSocket opens a socket of a netlink protocol and joins the events' group.
func newSocket(protocol int) (*netlinkSocket, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groupISCSID}); err != nil {
		_ = unix.Close(fd)
		return nil, os.NewSyscallError("bind", err)
	}
	return &netlinkSocket{file: os.NewFile(uintptr(fd), "netlink"), buf: make([]byte, receiveLen)}, nil
}

// Subscribe joins the group of the kernel's events, as [Open] does, or leaves it. Requests are
// answered either way. The PDUs of a login come through the group, so that none can run outside of
// it.
func (t *Transport) Subscribe(on bool) error {
	s, ok := t.sock.(*netlinkSocket)
	if !ok {
		return nil
	}
	option := unix.NETLINK_DROP_MEMBERSHIP
	if on {
		option = unix.NETLINK_ADD_MEMBERSHIP
	}
	raw, err := s.file.SyscallConn()
	if err != nil {
		return err
	}
	var serr error
	err = raw.Control(func(fd uintptr) { serr = unix.SetsockoptInt(int(fd), unix.SOL_NETLINK, option, groupISCSID) })
	return errors.Join(err, os.NewSyscallError("setsockopt", serr))
}

// portID is the socket's own address.
func (s *netlinkSocket) portID() uint32 {
	raw, err := s.file.SyscallConn()
	if err != nil {
		return 0
	}
	id := uint32(0)
	_ = raw.Control(func(fd uintptr) {
		if a, err := unix.Getsockname(int(fd)); err == nil {
			id = a.(*unix.SockaddrNetlink).Pid
		}
	})
	return id
}

// Send implements Socket. The kernel does the work before it returns.
func (s *netlinkSocket) Send(b []byte) error {
	raw, err := s.file.SyscallConn()
	if err != nil {
		return err
	}
	var serr error
	err = raw.Write(func(fd uintptr) bool {
		serr = unix.Sendto(int(fd), b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
		return !errors.Is(serr, unix.EAGAIN)
	})
	if err != nil {
		return os.ErrClosed
	}
	return serr
}

// Receive implements Socket. Messages of other processes are ignored.
func (s *netlinkSocket) Receive() ([]byte, error) {
	raw, err := s.file.SyscallConn()
	if err != nil {
		return nil, err
	}
	for {
		var n int
		var from unix.Sockaddr
		var rerr error
		err := raw.Read(func(fd uintptr) bool {
			n, from, rerr = unix.Recvfrom(int(fd), s.buf, 0)
			return !errors.Is(rerr, unix.EAGAIN)
		})
		switch {
		case err != nil:
			return nil, os.ErrClosed
		case errors.Is(rerr, unix.EINTR):
			continue
		case rerr != nil:
			return nil, rerr
		}
		if nl, ok := from.(*unix.SockaddrNetlink); ok && nl.Pid == 0 {
			return s.buf[:n], nil
		}
	}
}

// Close implements Socket.
func (s *netlinkSocket) Close() error { return s.file.Close() }

// replyTimeout bounds the wait for the kernel's answer, which is there when Send returns, unless
// the request was too short for the kernel to answer.
const replyTimeout = 10 * time.Second

// request sends ev and waits for its answer. One request runs at a time, because an answer contains
// only its type. ctx is checked before the request is sent, not after: then the work is done, and
// without its answer a session would be leaked.
func (t *Transport) request(ctx context.Context, ev *uevent, object string) (*uevent, error) {
	t.requestMu.Lock()
	defer t.requestMu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%v %s: %w", ev.typ, object, err)
	}
	for len(t.replies) > 0 {
		<-t.replies // the answer to a request that was given up
	}
	ev.handle = t.handle
	message := ev.marshal()
	err := t.sock.Send(message)
	clear(message) // it may hold a secret
	if err != nil {
		return nil, fmt.Errorf("%v %s: %w", ev.typ, object, err)
	}
	late := time.NewTimer(replyTimeout)
	defer late.Stop()
	for {
		select {
		case r := <-t.replies:
			if r.err != nil {
				return nil, fmt.Errorf("%v %s: %w", ev.typ, object, r.err)
			}
			if r.nlType != uint16(ev.typ) {
				continue
			}
			if r.ev.typ == ifError {
				return nil, &RequestError{ev.typ.String(), object, unix.Errno(-r.ev.iferror)}
			}
			return r.ev, nil
		case <-t.done:
			return nil, fmt.Errorf("%v %s: %w", ev.typ, object, t.readErr)
		case <-late.C:
			return nil, fmt.Errorf("%v %s: no answer from the kernel: %w", ev.typ, object, os.ErrDeadlineExceeded)
		}
	}
}

// command is request for the calls that answer with a return code.
func (t *Transport) command(ctx context.Context, ev *uevent, object string) error {
	r, err := t.request(ctx, ev, object)
	if err != nil {
		return err
	}
	if code := int32(native.Uint32(r.r[:])); code != 0 {
		return &RequestError{ev.typ.String(), object, unix.Errno(-code)}
	}
	return nil
}
