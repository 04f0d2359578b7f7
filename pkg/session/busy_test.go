package session

import (
	"errors"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel/kerneltest"
)

// A login continues when the kernel has freed the task of the previous request; if the kernel never
// does, the error is retryable.
func TestBusyKernel(t *testing.T) {
	tg := startTarget(t, welcome, welcome)
	s, k := sessionAt(t, nil, tg.portal)
	var sent atomic.Int32
	k.Refuse = func(r kerneltest.Request) unix.Errno {
		if r.Type != kerneltest.SendPDU {
			return 0
		}
		switch sent.Add(1) {
		case 1, 3, 4: // the first login's first request, the second one's second
			return unix.EPERM
		}
		return 0
	}
	_, err := s.Login(t.Context())
	var failed *LoginError
	var busy *kernel.BusyError
	if !errors.As(err, &failed) || !errors.As(err, &busy) || !failed.Retryable() {
		t.Errorf("got %v", err)
	}
	if _, err := s.Login(t.Context()); err != nil || sent.Load() != 5 {
		t.Errorf("%v after %d requests", err, sent.Load())
	}
}
