package kernel_test

import (
	"errors"
	"os"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/contain"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel/kerneltest"
)

// buggy is a socket whose Receive panics over the datagram "panic", or over all from the first
// "broken" on.
type buggy struct {
	*kerneltest.Socket
	broken bool // Receive is called by one goroutine
}

func (b *buggy) Receive() ([]byte, error) {
	if b.broken {
		panic("still broken")
	}
	d, err := b.Socket.Receive()
	b.broken = string(d) == "broken"
	if b.broken || string(d) == "panic" {
		panic("slice bounds out of range")
	}
	return d, err
}

// panicky opens a transport with a session over a socket that may panic.
func panicky(t *testing.T) (*kernel.Transport, *kernel.Session, *buggy) {
	t.Helper()
	sock := &buggy{Socket: kerneltest.NewSocket(func(b []byte) [][]byte {
		r, err := kerneltest.Parse(b)
		if err != nil {
			t.Error(err)
		}
		if r.Type == kerneltest.StopConn {
			return [][]byte{[]byte("panic")}
		}
		return acceptAll(r, b)
	})}
	tr := kernel.New(sock, kerneltest.Handle, "/sys")
	t.Cleanup(func() {
		if err := tr.Close(); err != nil {
			t.Error(err)
		}
	})
	return tr, create(t, tr), sock
}

// contained checks that an error is that of a panic, and one of lost events, which is retryable.
func contained(t *testing.T, what string, err error) {
	t.Helper()
	var p *contain.PanicError
	if !errors.As(err, &p) || !errors.Is(err, kernel.ErrEventsLost) {
		t.Errorf("%s: error %v, want lost events by a panic", what, err)
	}
}

// After a panic on one datagram the pending calls fail, which is retryable, and the reader
// continues.
func TestPanicOverADatagram(t *testing.T) {
	tr, s, sock := panicky(t)
	events, p := tr.Watch(), s.Pipe()
	for range 20 { // more than end a reader in a row
		sock.Emit([]byte("panic"))
		_, err := p.Receive(t.Context())
		contained(t, "receive", err)
		contained(t, "watch", (<-events).Err)
		if err := s.Start(t.Context()); err != nil {
			t.Fatalf("the next request: %v", err)
		}
	}
	contained(t, "request", s.Stop(t.Context()))
	if err := tr.Err(); err != nil {
		t.Errorf("the reader has ended: %v", err)
	}
}

// A socket that always panics ends the reader: all pending and later calls fail, and Done reports
// that another transport is needed.
func TestPanicEndsTheReader(t *testing.T) {
	tr, s, sock := panicky(t)
	p := s.Pipe()
	sock.Emit([]byte("broken"))
	<-tr.Done()
	contained(t, "transport", tr.Err())
	contained(t, "request", s.Start(t.Context()))
	for range 20 { // what was delivered before the end, and the end
		_, err := p.Receive(t.Context())
		contained(t, "receive", err)
	}
	_, err := s.Pipe().Receive(t.Context())
	contained(t, "receive by a new pipe", err)
}

// A socket that fails for another reason ends the reader too; Close loses no events, so it sends no
// ErrEventsLost.
func TestEndOfTheReader(t *testing.T) {
	tr, _, sock := panicky(t)
	events := tr.Watch()
	sock.Break(os.ErrInvalid)
	<-tr.Done()
	if err := tr.Err(); !errors.Is(err, os.ErrInvalid) || !errors.Is(err, kernel.ErrEventsLost) {
		t.Errorf("error %v, want lost events by an invalid argument", err)
	}
	if e := <-events; !errors.Is(e.Err, os.ErrInvalid) {
		t.Errorf("event %+v, want the end", e)
	}

	tr, s, _ := panicky(t)
	events = tr.Watch()
	if err := tr.Err(); err != nil {
		t.Errorf("error %v before the end", err)
	}
	if err := tr.Close(); err != nil {
		t.Fatal(err)
	}
	if err := tr.Err(); !errors.Is(err, os.ErrClosed) || errors.Is(err, kernel.ErrEventsLost) || len(events) > 0 {
		t.Errorf("error %v and %d events after Close", err, len(events))
	}
	if err := s.Start(t.Context()); !errors.Is(err, os.ErrClosed) {
		t.Errorf("error %v of a request after Close", err)
	}
}
