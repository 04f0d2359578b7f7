package rtwatch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// socket is a netlink socket. It is not the netlink package's, which sends its requests to the
// groups too, so that every other subscriber receives them, and allocates 64 KiB for each message.
type socket struct {
	*os.File
	buf []byte
}

// bufferSize is for one datagram. A dump is split to fit (net/netlink/af_netlink.c: netlink_dump);
// a notification about one object has a few KiB.
const bufferSize = 32 << 10

// errLost: messages were dropped; errEmpty: none is queued; errMessage: one is incomplete.
var (
	errLost    = errors.New("messages lost")
	errEmpty   = errors.New("no message")
	errMessage = errors.New("message not understood")
)

func open(cfg Config) (*socket, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	s := &socket{File: os.NewFile(uintptr(fd), "rtnetlink"), buf: make([]byte, bufferSize)}
	if cfg.Buffer > 0 {
		// Without CAP_NET_ADMIN there is the system's limit.
		if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, cfg.Buffer) != nil {
			_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, cfg.Buffer)
		}
	}
	groups := group(unix.RTNLGRP_LINK) | group(unix.RTNLGRP_IPV4_IFADDR) | group(unix.RTNLGRP_IPV6_IFADDR)
	if cfg.Neighbours {
		groups |= group(unix.RTNLGRP_NEIGH)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}); err != nil {
		return nil, errors.Join(os.NewSyscallError("bind", err), s.Close())
	}
	return s, nil
}

// group is the bit of a group of bind(2).
func group(n uint) uint32 { return 1 << (n - 1) }

// list requests the state of all links.
func (s *socket) list() error {
	const size = unix.SizeofNlMsghdr + unix.SizeofIfInfomsg
	b := binary.NativeEndian.AppendUint32(make([]byte, 0, size), size)
	b = binary.NativeEndian.AppendUint16(b, unix.RTM_GETLINK)
	b = binary.NativeEndian.AppendUint16(b, unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	b = append(b, make([]byte, size-len(b))...) // sequence, port, and struct ifinfomsg of AF_UNSPEC
	raw, err := s.SyscallConn()
	if err != nil {
		return err
	}
	var serr error
	err = raw.Write(func(fd uintptr) bool {
		serr = unix.Sendto(int(fd), b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
		return !errors.Is(serr, unix.EAGAIN)
	})
	return errors.Join(err, os.NewSyscallError("sendto", serr))
}

// receive returns the messages of the kernel's next datagram, which are the caller's. It returns
// errLost after an overflow, errMessage for a datagram that is not whole, and errEmpty if there is
// none and it is not to wait; it can be called again after each.
func (s *socket) receive(wait bool) ([]syscall.NetlinkMessage, error) {
	raw, err := s.SyscallConn()
	if err != nil {
		return nil, err
	}
	for {
		var n, flags int
		var from unix.Sockaddr
		var rerr error
		err := raw.Read(func(fd uintptr) bool {
			n, _, flags, from, rerr = unix.Recvmsg(int(fd), s.buf, nil, 0)
			return !wait || !errors.Is(rerr, unix.EAGAIN)
		})
		sender, ok := from.(*unix.SockaddrNetlink)
		switch {
		case err != nil:
			return nil, err
		case errors.Is(rerr, unix.EINTR):
		case errors.Is(rerr, unix.EAGAIN):
			return nil, errEmpty
		case errors.Is(rerr, unix.ENOBUFS):
			return nil, errLost
		case rerr != nil:
			return nil, os.NewSyscallError("recvmsg", rerr)
		case !ok || sender.Pid != 0: // not the kernel
		case flags&unix.MSG_TRUNC != 0:
			return nil, fmt.Errorf("%w: longer than %d bytes", errMessage, len(s.buf))
		default:
			return split(s.buf[:n])
		}
	}
}

// split copies the messages of a datagram out of the buffer.
func split(b []byte) ([]syscall.NetlinkMessage, error) {
	messages, err := syscall.ParseNetlinkMessage(append([]byte(nil), b...))
	if err != nil {
		return messages, fmt.Errorf("%w: %w", errMessage, err)
	}
	return messages, nil
}
