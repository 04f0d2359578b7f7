package kernel_test

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel/kerneltest"
)

// A request that gets no answer ends, and its late answer is not used for the next request, of
// another kind or of the same.
func TestLateReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var late []byte
		silent := true
		tr, sock := open(t, func(r kerneltest.Request, b []byte) [][]byte {
			switch {
			case silent && r.Type == kerneltest.BindConn:
				late = kerneltest.ReturnCode(b, unix.EEXIST)
				return nil
			case late != nil && r.Type == kerneltest.StopConn: // ahead of its own answer
				return [][]byte{late, kerneltest.Reply(b)}
			}
			return acceptAll(r, b)
		})
		s := create(t, tr)
		start := time.Now()
		err := s.Bind(t.Context(), 5)
		if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != 10*time.Second {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
		if err.Error() != "bind connection session 7: no answer from the kernel: i/o timeout" {
			t.Errorf("got %q", err)
		}
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		sock.Emit(late)
		synctest.Wait()
		silent = false
		if err := s.Bind(t.Context(), 5); err != nil {
			t.Error(err)
		}
	})
}

// Answers without a receiver do not stop the reader.
func TestUnwantedReplies(t *testing.T) {
	tr, sock := open(t, acceptAll)
	s := create(t, tr)
	stale := kerneltest.Refusal(sock.Requests()[1], unix.EINVAL)
	for range 100 {
		sock.Emit(stale)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Error(err)
	}
}

// A context that has ended sends no request to the kernel: no reference to the session that it made
// would be left.
func TestEndedContext(t *testing.T) {
	tr, sock := open(t, acceptAll)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tr.CreateSession(ctx, kernel.Limits{}, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if n := len(sock.Requests()); n != 0 {
		t.Errorf("%d requests", n)
	}
}

// A context that ends while the kernel works loses no answer.
func TestContextEndsMeanwhile(t *testing.T) {
	for range 50 { // with a wrong implementation the result would be random
		ctx, cancel := context.WithCancel(t.Context())
		tr, _ := open(t, func(r kerneltest.Request, b []byte) [][]byte {
			if r.Type == kerneltest.CreateConn {
				cancel()
			}
			return acceptAll(r, b)
		})
		if _, err := tr.CreateSession(ctx, kernel.Limits{}, 1); err != nil {
			t.Fatal(err)
		}
	}
}

// Close ends all pending and later calls.
func TestClose(t *testing.T) {
	tr, _ := open(t, func(r kerneltest.Request, b []byte) [][]byte {
		if r.Type == kerneltest.StartConn {
			return nil
		}
		return acceptAll(r, b)
	})
	s := create(t, tr)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.Start(t.Context()); !errors.Is(err, os.ErrClosed) {
			t.Errorf("start: %v", err)
		}
	})
	wg.Go(func() {
		if _, err := s.Pipe().Receive(t.Context()); !errors.Is(err, os.ErrClosed) {
			t.Errorf("receive: %v", err)
		}
	})
	time.Sleep(time.Millisecond)
	if err := tr.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	if err := s.Stop(t.Context()); !errors.Is(err, os.ErrClosed) {
		t.Errorf("stop after close: %v", err)
	}
}

// Requests and pipes return the error of a socket that breaks.
func TestBrokenSocket(t *testing.T) {
	tr, sock := open(t, acceptAll)
	s := create(t, tr)
	p := s.Pipe()
	sock.Break(io.ErrUnexpectedEOF)
	if _, err := p.Receive(t.Context()); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("receive: %v", err)
	}
	if err := s.Start(t.Context()); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("start: %v", err)
	}
	sock.Refuse(unix.EPERM)
	if err := s.Start(t.Context()); !errors.Is(err, unix.EPERM) || err.Error() != "start connection session 7: operation not permitted" {
		t.Errorf("start: %v", err)
	}
}

// Requests of several goroutines get their own answers.
func TestConcurrentRequests(t *testing.T) {
	tr, _ := open(t, func(r kerneltest.Request, b []byte) [][]byte {
		if r.Type == kerneltest.BindConn {
			return [][]byte{kerneltest.ReturnCode(b, unix.Errno(r.FD))}
		}
		return acceptAll(r, b)
	})
	s := create(t, tr)
	var wg sync.WaitGroup
	for fd := range uintptr(20) {
		wg.Go(func() {
			var want error
			if fd != 0 {
				want = unix.Errno(fd)
			}
			if err := s.Bind(t.Context(), fd); !errors.Is(err, want) {
				t.Errorf("%d: %v", fd, err)
			}
		})
	}
	wg.Wait()
}
