package kernel_test

import (
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel/kerneltest"
)

// open returns a transport whose kernel answers by a function, and fails the test if a request does
// not have the layout of the kernel's header.
func open(t *testing.T, answer func(r kerneltest.Request, b []byte) [][]byte) (*kernel.Transport, *kerneltest.Socket) {
	t.Helper()
	s := kerneltest.NewSocket(func(b []byte) [][]byte {
		r, err := kerneltest.Parse(b)
		if err != nil {
			t.Error(err)
		}
		return answer(r, b)
	})
	tr := kernel.New(s, kerneltest.Handle, "/sys")
	t.Cleanup(func() {
		if err := tr.Close(); err != nil {
			t.Error(err)
		}
	})
	return tr, s
}

// acceptAll accepts every request; every session has the number 7.
func acceptAll(r kerneltest.Request, b []byte) [][]byte {
	if r.Type == kerneltest.CreateSession {
		return [][]byte{kerneltest.Reply(b, 7, 2)}
	}
	return [][]byte{kerneltest.Reply(b)}
}

func create(t *testing.T, tr *kernel.Transport) *kernel.Session {
	t.Helper()
	s, err := tr.CreateSession(t.Context(), kernel.Limits{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
