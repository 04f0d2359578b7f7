package kernel_test

import (
	"errors"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel/kerneltest"
)

// async is an Async Message in which the target asks for a logout.
func async() []byte {
	pdu := iscsi.AsyncMessage{Event: iscsi.AsyncLogoutRequest}.PDU()
	return append(pdu.BHS[:], pdu.Data...)
}

func TestWatch(t *testing.T) {
	tr, sock := open(t, acceptAll)
	events := tr.Watch()
	sock.Emit(kerneltest.Event(kerneltest.ConnError, nil, 7, 0, 1020))
	if e := <-events; e.SID != 7 || e.CID != 0 || !errors.Is(e.Err, kernel.TargetClosed) || e.PDU != nil {
		t.Errorf("error: got %+v", e)
	}
	sock.Emit(kerneltest.Event(kerneltest.RecvPDU, async(), 9, 0))
	e := <-events
	if e.SID != 9 || e.Err != nil || e.PDU == nil || iscsi.ParseAsyncMessage(e.PDU).Event != iscsi.AsyncLogoutRequest {
		t.Errorf("message: got %+v", e)
	}
	sock.Emit(kerneltest.Event(kerneltest.RecvPDU, []byte("short"), 9, 0), kerneltest.Event(106, nil, 7, 0))
	sock.Lose()
	if e := <-events; !errors.Is(e.Err, kernel.ErrEventsLost) || e.SID != 0 {
		t.Errorf("loss: got %+v", e)
	}
}

// PDUs of a login go to that login's pipe only.
func TestWatchLeavesLoginsAlone(t *testing.T) {
	tr, sock := open(t, acceptAll)
	events := tr.Watch()
	p := create(t, tr).Pipe()
	sock.Emit(kerneltest.Event(kerneltest.ConnError, nil, 7, 0, 1011))
	if _, err := p.Receive(t.Context()); !errors.Is(err, kernel.ConnError(1011)) {
		t.Errorf("the login got %v", err)
	}
	p.Close()
	sock.Emit(kerneltest.Event(kerneltest.ConnError, nil, 7, 0, 1020))
	if e := <-events; !errors.Is(e.Err, kernel.TargetClosed) {
		t.Errorf("the watcher got %+v", e)
	}
}

// A watcher that does not read gets ErrEventsLost as its last event.
func TestWatchOverflow(t *testing.T) {
	tr, sock := open(t, acceptAll)
	events := tr.Watch()
	for range 100 {
		sock.Emit(kerneltest.Event(kerneltest.ConnError, nil, 7, 0, 1020))
	}
	create(t, tr) // its answer comes after all of them
	last := kernel.Event{}
	for len(events) > 0 {
		last = <-events
	}
	if !errors.Is(last.Err, kernel.ErrEventsLost) {
		t.Errorf("the last of too many is %+v", last)
	}
}

func TestAdopt(t *testing.T) {
	tr, sock := open(t, acceptAll)
	s := tr.Adopt(5, 3)
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	reqs := parse(t, sock)
	if len(reqs) != 1 || reqs[0].Type != kerneltest.StopConn || s.HostNo != 3 || s.ISID() != [6]byte{0, 2, 0x3d, 0, 0, 5} {
		t.Errorf("requests %+v of %v", reqs, s)
	}
}

// The end of a session is the end of all its parts, in the kernel's order.
func TestEnd(t *testing.T) {
	tr, sock := open(t, acceptAll)
	if err := tr.Adopt(5, 3).End(t.Context()); err != nil {
		t.Fatal(err)
	}
	var got []uint32
	for _, r := range parse(t, sock) {
		got = append(got, r.Type)
		if r.Type == kerneltest.StopConn && r.Flag != 1 {
			t.Errorf("stopped with flag %d", r.Flag)
		}
	}
	if want := []uint32{kerneltest.StopConn, kerneltest.DestroyConn, kerneltest.DestroyAsync}; !slices.Equal(got, want) {
		t.Errorf("requests %v, want %v", got, want)
	}
}

// A session without a connection, which another process has removed, is removed too.
func TestEndWithoutConnection(t *testing.T) {
	ended := false
	tr, _ := open(t, func(r kerneltest.Request, b []byte) [][]byte {
		switch r.Type {
		case kerneltest.StopConn, kerneltest.DestroyConn:
			return [][]byte{kerneltest.Refusal(b, unix.EINVAL)}
		case kerneltest.DestroyAsync:
			ended = true
		}
		return acceptAll(r, b)
	})
	if err := tr.Adopt(5, 3).End(t.Context()); err != nil || !ended {
		t.Errorf("ended %v, %v", ended, err)
	}
}

// An error of the connection after the last PDU of a login is not lost with the login's pipe.
func TestPipeLeavesErrorsBehind(t *testing.T) {
	tr, sock := open(t, acceptAll)
	events := tr.Watch()
	s := create(t, tr)
	p := s.Pipe()
	sock.Emit(kerneltest.Event(kerneltest.RecvPDU, async(), 7, 0), kerneltest.Event(kerneltest.ConnError, nil, 7, 0, 1020))
	if err := s.Flush(t.Context()); err != nil { // the reader has seen both
		t.Fatal(err)
	}
	p.Close()
	if e := <-events; e.SID != 7 || !errors.Is(e.Err, kernel.TargetClosed) {
		t.Errorf("the watcher got %+v", e)
	}
}

// Flush returns after every event before it, and its request does not change the session.
func TestFlush(t *testing.T) {
	tr, sock := open(t, acceptAll)
	events := tr.Watch()
	s := create(t, tr)
	for range 20 {
		sock.Emit(kerneltest.Event(kerneltest.ConnError, nil, 7, 0, 1020))
		if err := s.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(events) != 1 {
			t.Fatalf("%d events after Flush, want 1", len(events))
		}
		<-events
	}
	refusing, _ := open(t, func(_ kerneltest.Request, b []byte) [][]byte {
		return [][]byte{kerneltest.Refusal(b, unix.ENOTCONN)}
	})
	if err := refusing.Adopt(7, 0).Flush(t.Context()); err != nil {
		t.Errorf("a session without a connection: %v", err)
	}
}

// A session is moved from one transport to another with its connection.
func TestMigrate(t *testing.T) {
	first, _ := open(t, acceptAll)
	second, sock := open(t, acceptAll)
	s := create(t, first)
	if err := s.Bind(t.Context(), 5); err != nil {
		t.Fatal(err)
	}
	migrated := second.Migrate(s)
	if !migrated.Bound() || migrated.SID != s.SID || migrated.HostNo != s.HostNo {
		t.Errorf("migrated: %+v", migrated)
	}
	if err := migrated.Stop(t.Context()); err != nil || migrated.Bound() || len(sock.Requests()) == 0 {
		t.Errorf("stop by the second transport: %v", err)
	}
}

// An event names the connection of its session, also one that remains after a login's pipe is
// closed.
func TestEventsOfOldConnections(t *testing.T) {
	tr, sock := open(t, acceptAll)
	events := tr.Watch()
	s := create(t, tr)
	lose := func() {
		sock.Emit(kerneltest.Event(kerneltest.ConnError, nil, 7, 0, 1020))
		if err := s.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	stop := func() {
		if err := s.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	lose() // of the first connection
	stop()
	p := s.Pipe()
	lose() // of the second, to the pipe
	stop()
	p.Close()
	lose() // of the third
	for want := range uint32(3) {
		if e := <-events; e.Stops != want {
			t.Errorf("event of connection %d, want %d", e.Stops, want)
		}
	}
	if s.Stops() != 2 {
		t.Errorf("%d stops", s.Stops())
	}
}
