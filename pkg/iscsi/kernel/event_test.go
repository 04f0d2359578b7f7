package kernel_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel/kerneltest"
)

// response is a login response with a task tag of the kernel's.
func response(data string) []byte {
	p := &iscsi.PDU{BHS: [iscsi.BHSLen]byte{0: 0x23, 16: 0xde, 17: 0xad, 19: 1}, Data: []byte(data)}
	if err := p.SetLengths(); err != nil {
		panic(err) // a mistake of the test's author
	}
	return append(p.BHS[:], p.Data...)
}

// A PDU comes without netlink's padding and with the sender's task tag.
func TestReceive(t *testing.T) {
	tr, sock := open(t, acceptAll)
	p := create(t, tr).Pipe()
	if err := p.Send(t.Context(), &iscsi.PDU{BHS: [iscsi.BHSLen]byte{0: 0x43, 16: 1, 17: 2, 18: 3, 19: 4}}); err != nil {
		t.Fatal(err)
	}
	for _, data := range []string{"", "A=b\x00", "A=bcd\x00"} {
		ev := kerneltest.Event(kerneltest.RecvPDU, response(data), 7, 0)
		if len(ev)%4 != 0 {
			t.Fatal("the event is not padded")
		}
		sock.Emit(ev)
		got, err := p.Receive(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if string(got.Data) != data || got.ITT() != 0x01020304 || got.Opcode() != 0x23 {
			t.Errorf("%q: got %+v", data, got)
		}
	}
}

// Events of other sessions and connections, of unknown types, and malformed ones are ignored.
func TestOthersEvents(t *testing.T) {
	tr, sock := open(t, acceptAll)
	p := create(t, tr).Pipe()
	wrong := response("X=y\x00")
	sock.Emit(
		kerneltest.Event(kerneltest.RecvPDU, wrong, 8, 0),
		kerneltest.Event(kerneltest.RecvPDU, wrong, 7, 1),
		kerneltest.Event(kerneltest.ConnError, nil, 6, 0, 1020),
		kerneltest.Event(106, nil, 7, 0), // ISCSI_KEVENT_CREATE_SESSION
		[]byte("noise"), nil,
		kerneltest.Event(kerneltest.RecvPDU, response("A=b\x00"), 7, 0),
	)
	got, err := p.Receive(t.Context())
	if err != nil || string(got.Data) != "A=b\x00" {
		t.Errorf("got %+v, %v", got, err)
	}
}

// Two messages may share a datagram.
func TestTwoInOne(t *testing.T) {
	tr, sock := open(t, acceptAll)
	p := create(t, tr).Pipe()
	sock.Emit(bytes.Join([][]byte{
		kerneltest.Event(kerneltest.RecvPDU, response("A=bc\x00"), 7, 0),
		kerneltest.Event(kerneltest.ConnError, nil, 7, 0, 1011),
	}, nil))
	if got, err := p.Receive(t.Context()); err != nil || string(got.Data) != "A=bc\x00" {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := p.Receive(t.Context()); !errors.Is(err, kernel.ConnError(1011)) {
		t.Errorf("got %v", err)
	}
}

func TestConnErrors(t *testing.T) {
	tr, sock := open(t, acceptAll)
	p := create(t, tr).Pipe()
	for _, tt := range []struct {
		code uint32
		text string
		eof  bool
	}{
		{1020, "target closed the connection (kernel error 1020)", true},
		{1022, "target did not answer a ping (NOP) in time (kernel error 1022)", false},
		{1011, "connection failed (kernel error 1011)", false},
		{1019, "connection broke while sending (kernel error 1019)", false},
		{1099, "connection failed (kernel error 1099, not in Linux 6.12)", false},
	} {
		sock.Emit(kerneltest.Event(kerneltest.ConnError, nil, 7, 0, tt.code))
		_, err := p.Receive(t.Context())
		var ce kernel.ConnError
		if !errors.As(err, &ce) || uint32(ce) != tt.code || err.Error() != tt.text || !ce.Retryable() {
			t.Errorf("%d: got %v", tt.code, err)
		}
		if errors.Is(err, io.EOF) != tt.eof || errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d: end of file: %v", tt.code, !tt.eof)
		}
	}
}

// Lost events fail every pipe, and none that is closed.
func TestLost(t *testing.T) {
	tr, sock := open(t, acceptAll)
	s := create(t, tr)
	old := s.Pipe()
	p := s.Pipe()
	old.Close() // closes itself only: the session has a new one
	sock.Lose()
	if _, err := p.Receive(t.Context()); !errors.Is(err, kernel.ErrEventsLost) {
		t.Errorf("got %v", err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Errorf("the reader did not go on: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if d, err := old.Receive(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the old pipe got %v, %v", d, err)
	}
}

// A pipe does not receive what came before it was made or after its end.
func TestPipeEnds(t *testing.T) {
	tr, sock := open(t, acceptAll)
	s := create(t, tr)
	broke := kerneltest.Event(kerneltest.ConnError, nil, 7, 0, 1020)
	sock.Emit(broke)
	if err := s.Stop(t.Context()); err != nil { // its answer comes after the event
		t.Fatal(err)
	}
	p := s.Pipe()
	p.Close()
	sock.Emit(broke)
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := p.Receive(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// A target that sends without pause does not stop the reader.
func TestFlood(t *testing.T) {
	tr, sock := open(t, acceptAll)
	s := create(t, tr)
	p := s.Pipe()
	for range 200 {
		sock.Emit(kerneltest.Event(kerneltest.RecvPDU, response(""), 7, 0))
	}
	if err := s.Start(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := p.Receive(t.Context()); err != nil {
		t.Error(err)
	}
}

// What does not fit into a login PDU is not sent.
func TestSendTooLong(t *testing.T) {
	tr, sock := open(t, acceptAll)
	p := create(t, tr).Pipe()
	for _, pdu := range []*iscsi.PDU{
		{AHS: make([]byte, 4)},
		{Data: make([]byte, iscsi.LoginDataLen+1)},
	} {
		if err := p.Send(t.Context(), pdu); !errors.Is(err, unix.EMSGSIZE) {
			t.Errorf("got %v", err)
		}
	}
	if err := p.Send(t.Context(), &iscsi.PDU{Data: make([]byte, iscsi.LoginDataLen)}); err != nil {
		t.Error(err)
	}
	if n := len(sock.Requests()); n != 3 {
		t.Errorf("%d requests", n)
	}
}

// A header with a length beyond the data is an error.
func TestShortPDU(t *testing.T) {
	tr, sock := open(t, acceptAll)
	p := create(t, tr).Pipe()
	long := response("A=b\x00")
	long[6] = 1
	for _, pdu := range [][]byte{long, long[:iscsi.BHSLen], long[:44], nil} {
		sock.Emit(kerneltest.Event(kerneltest.RecvPDU, pdu, 7, 0))
		if d, err := p.Receive(t.Context()); err == nil || errors.Is(err, os.ErrClosed) {
			t.Errorf("%d bytes: got %+v, %v", len(pdu), d, err)
		}
	}
}
