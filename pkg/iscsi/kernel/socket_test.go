package kernel

import (
	"bytes"
	"errors"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/internal/nstest"
)

// TestMain runs the tests in a network namespace of their own.
func TestMain(m *testing.M) { nstest.Main(m) }

// routeSocket is a Socket with a protocol that every kernel has, to test it with a real netlink
// socket without iSCSI modules.
func routeSocket(t *testing.T) (*netlinkSocket, *unix.SockaddrNetlink) {
	t.Helper()
	s, err := newSocket(unix.NETLINK_ROUTE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	raw, err := s.file.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var name unix.Sockaddr
	var nerr error
	if err := errors.Join(raw.Control(func(fd uintptr) { name, nerr = unix.Getsockname(int(fd)) }), nerr); err != nil {
		t.Fatal(err)
	}
	return s, name.(*unix.SockaddrNetlink)
}

// noop is a message that the kernel only acknowledges.
func noop() []byte {
	b := make([]byte, nlHeaderLen)
	native.PutUint32(b[0:], nlHeaderLen)
	native.PutUint16(b[4:], unix.NLMSG_NOOP)
	native.PutUint16(b[6:], unix.NLM_F_REQUEST|unix.NLM_F_ACK)
	return b
}

func receive(t *testing.T, s *netlinkSocket) ([]byte, error) {
	t.Helper()
	if err := s.file.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return s.Receive()
}

// Messages of the kernel are received, and those of another sender are not.
func TestSocketReceivesFromKernel(t *testing.T) {
	s, name := routeSocket(t)
	other, otherName := routeSocket(t)
	raw, err := other.file.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	forged := append(noop(), "forged"...)
	var serr error
	if err := errors.Join(raw.Control(func(fd uintptr) { serr = unix.Sendto(int(fd), forged, 0, name) }), serr); err != nil {
		t.Fatalf("send from %d to %d: %v", otherName.Pid, name.Pid, err)
	}
	if err := s.Send(noop()); err != nil {
		t.Fatal(err)
	}
	for {
		b, err := receive(t, s)
		if err != nil || len(b) < nlHeaderLen || bytes.HasSuffix(b, []byte("forged")) {
			t.Fatalf("got %x, %v", b, err)
		}
		if native.Uint16(b[4:]) == unix.NLMSG_ERROR { // other messages are of links that change
			return
		}
	}
}

// A buffer that overflows is reported once, and the socket stays usable.
func TestSocketOverflow(t *testing.T) {
	s, _ := routeSocket(t)
	raw, err := s.file.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var serr error
	if err := errors.Join(raw.Control(func(fd uintptr) { serr = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 1) }), serr); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if err := s.Send(noop()); err != nil && !errors.Is(err, unix.ENOBUFS) {
			t.Fatal(err)
		}
	}
	for n := 0; ; n++ {
		if _, err := receive(t, s); errors.Is(err, unix.ENOBUFS) {
			break
		} else if err != nil || n == 100 {
			t.Fatalf("message %d: %v", n, err)
		}
	}
}

// Close ends a Receive that waits.
func TestSocketClose(t *testing.T) {
	s, _ := routeSocket(t)
	time.AfterFunc(time.Millisecond, func() { _ = s.Close() })
	if _, err := s.Receive(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("got %v", err)
	}
	if err := s.Send(noop()); !errors.Is(err, os.ErrClosed) {
		t.Errorf("send: %v", err)
	}
	if _, err := s.Receive(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func TestPortID(t *testing.T) {
	s, name := routeSocket(t)
	if got := s.portID(); got != name.Pid || got == 0 {
		t.Errorf("got %d, the kernel says %d", got, name.Pid)
	}
	if got := New(s, 0, "").PortID(); got != name.Pid {
		t.Errorf("transport: got %d", got)
	}
}
