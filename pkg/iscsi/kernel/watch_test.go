package kernel_test

import (
	"errors"
	"slices"
	"testing"

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
	tr, sock := open(t, willing)
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

// What belongs to a login is the login's, and nobody else sees it.
func TestWatchLeavesLoginsAlone(t *testing.T) {
	tr, sock := open(t, willing)
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

// A watcher that does not read is told in the end that it missed something.
func TestWatchOverflow(t *testing.T) {
	tr, sock := open(t, willing)
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
	tr, sock := open(t, willing)
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
	tr, sock := open(t, willing)
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
	if want := []uint32{kerneltest.StopConn, kerneltest.DestroyConn, kerneltest.DestroySession}; !slices.Equal(got, want) {
		t.Errorf("requests %v, want %v", got, want)
	}
}
