package kernel_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel/kerneltest"
)

// endRig is a kernel that shows session 5 and removes it when the test says so.
type endRig struct {
	tr   *kernel.Transport
	sock *kerneltest.Socket
	path string // of the session
	last []uint32
}

// newEndRig has a kernel that refuses DestroyAsync with an error; 0: it accepts it.
func newEndRig(t *testing.T, errno unix.Errno) *endRig {
	t.Helper()
	sys := t.TempDir()
	r := &endRig{path: filepath.Join(sys, "class/iscsi_session/session5")}
	if err := os.MkdirAll(r.path, 0o755); err != nil {
		t.Fatal(err)
	}
	r.sock = kerneltest.NewSocket(func(b []byte) [][]byte {
		q, err := kerneltest.Parse(b)
		if err != nil {
			t.Error(err)
		}
		r.last = append(r.last, q.Type)
		switch {
		case q.Type == kerneltest.DestroyAsync && errno != 0:
			return [][]byte{kerneltest.Refusal(b, errno)}
		case q.Type == kerneltest.DestroySession:
			r.remove(t)
		}
		return [][]byte{kerneltest.Reply(b)}
	})
	r.tr = kernel.New(r.sock, kerneltest.Handle, kernel.Sysfs(sys))
	t.Cleanup(func() { _ = r.tr.Close() })
	return r
}

func (r *endRig) remove(t *testing.T) {
	if err := os.RemoveAll(r.path); err != nil {
		t.Error(err)
	}
}

// The kernel removes a session in a work queue: End waits for the event of that session, or for
// sysfs where events were lost. Without an end there is an error, also after the second request,
// which the kernel refuses meanwhile. A kernel without the request gets the other one.
func TestEndWaits(t *testing.T) {
	gone := kerneltest.Event(kerneltest.Destroyed, nil, 3, 5)
	for name, tt := range map[string]struct {
		errno   unix.Errno
		happens func(r *endRig)
		want    error
		last    uint32
	}{
		"by the event":   {0, func(r *endRig) { r.sock.Emit(gone) }, nil, kerneltest.DestroyAsync},
		"being removed":  {unix.EINVAL, func(r *endRig) { r.sock.Emit(gone) }, nil, kerneltest.DestroyAsync},
		"another's end":  {0, func(r *endRig) { r.sock.Emit(kerneltest.Event(kerneltest.Destroyed, nil, 5, 3)) }, os.ErrDeadlineExceeded, kerneltest.DestroyAsync},
		"events lost":    {0, func(r *endRig) { r.remove(t); r.sock.Lose() }, nil, kerneltest.DestroyAsync},
		"lost, and then": {0, func(r *endRig) { r.sock.Lose(); synctest.Wait(); r.sock.Emit(gone) }, nil, kerneltest.DestroyAsync},
		"without an end": {0, func(*endRig) {}, os.ErrDeadlineExceeded, kerneltest.DestroyAsync},
		"refused":        {unix.EBUSY, func(*endRig) {}, unix.EBUSY, kerneltest.DestroyAsync},
		"an old kernel":  {unix.ENOSYS, func(*endRig) {}, nil, kerneltest.DestroySession},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newEndRig(t, tt.errno)
				s := r.tr.Adopt(5, 3)
				result := make(chan error, 1)
				go func() { result <- s.End(t.Context()) }()
				synctest.Wait()
				if waits := tt.errno == 0 || tt.errno == unix.EINVAL; waits == (len(result) > 0) {
					t.Errorf("End has returned before the end: %v", len(result) > 0)
				}
				tt.happens(r)
				if err := <-result; !errors.Is(err, tt.want) || s.Destroyed() != (tt.want == nil) {
					t.Errorf("got %v, want %v", err, tt.want)
				}
				if got := r.last[len(r.last)-1]; got != tt.last || slices.Contains(r.last, kerneltest.DestroySession) != (tt.errno == unix.ENOSYS) {
					t.Errorf("requests %d", r.last)
				}
			})
		})
	}
}

// The wait ends with the context, and with the transport.
func TestEndIsLeft(t *testing.T) {
	for name, leave := range map[string]func(r *endRig, cancel func()){
		"context":   func(_ *endRig, cancel func()) { cancel() },
		"transport": func(r *endRig, _ func()) { r.sock.Break(unix.EIO) },
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newEndRig(t, 0)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			result := make(chan error, 1)
			go func() { result <- r.tr.Adopt(5, 3).End(ctx) }()
			synctest.Wait()
			leave(r, cancel)
			synctest.Wait()
			select {
			case err := <-result:
				if err == nil {
					t.Errorf("%s: no error", name)
				}
			default:
				t.Errorf("%s: End waits", name)
			}
		})
	}
}
