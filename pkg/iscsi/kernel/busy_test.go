package kernel_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel/kerneltest"
)

// A request behind a response is sent again while the kernel has not freed the task of the one
// before, for a second at most. Nothing else is sent twice.
func TestBusyTask(t *testing.T) {
	const always = 1 << 20
	login, logout := iscsi.PDU{BHS: [iscsi.BHSLen]byte{0: 0x43}}, iscsi.PDU{BHS: [iscsi.BHSLen]byte{0: 0x46}}
	for name, tt := range map[string]struct {
		pdu      iscsi.PDU
		first    bool // of its pipe: no response came before
		errno    unix.Errno
		refusals int
		sent     int // 0: more than ten
		want     error
	}{
		"not busy":         {pdu: login, errno: unix.EPERM, sent: 1},
		"busy once":        {pdu: login, errno: unix.EPERM, refusals: 1, sent: 2},
		"busy for a while": {pdu: login, errno: unix.EPERM, refusals: 5, sent: 6},
		"busy for good":    {pdu: login, errno: unix.EPERM, refusals: always, want: unix.EPERM},
		"another program":  {pdu: login, first: true, errno: unix.EPERM, refusals: always, sent: 1, want: unix.EPERM},
		"no connection":    {pdu: login, errno: unix.ENOTCONN, refusals: always, sent: 1, want: unix.ENOTCONN},
		"logout":           {pdu: logout, errno: unix.EPERM, refusals: always, sent: 1, want: unix.EPERM},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sent := 0
				tr, sock := open(t, func(r kerneltest.Request, b []byte) [][]byte {
					if r.Type == kerneltest.SendPDU {
						if sent++; sent <= tt.refusals {
							return [][]byte{kerneltest.ReturnCode(b, tt.errno)}
						}
					}
					return acceptAll(r, b)
				})
				p := create(t, tr).Pipe()
				if !tt.first {
					sock.Emit(kerneltest.Event(kerneltest.RecvPDU, make([]byte, iscsi.BHSLen), 7, 0))
					if _, err := p.Receive(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				began := time.Now()
				err := p.Send(t.Context(), &tt.pdu)
				var busy *kernel.BusyError
				if !errors.Is(err, tt.want) || errors.As(err, &busy) != (tt.want == unix.EPERM && tt.pdu.Opcode() == iscsi.OpLoginRequest) {
					t.Errorf("got %v, want %v", err, tt.want)
				}
				if busy != nil && !busy.Retryable() {
					t.Error("another login is not tried")
				}
				if tt.sent > 0 && sent != tt.sent || tt.sent == 0 && sent <= 10 {
					t.Errorf("sent %d times, want %d", sent, tt.sent)
				}
				if d := time.Since(began); d > 1050*time.Millisecond {
					t.Errorf("it took %v", d)
				}
			})
		})
	}
}

// The end of the context ends the wait for the kernel's task.
func TestBusyTaskCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		tr, sock := open(t, func(r kerneltest.Request, b []byte) [][]byte {
			if r.Type == kerneltest.SendPDU {
				return [][]byte{kerneltest.ReturnCode(b, unix.EPERM)}
			}
			return acceptAll(r, b)
		})
		p := create(t, tr).Pipe()
		sock.Emit(kerneltest.Event(kerneltest.RecvPDU, make([]byte, iscsi.BHSLen), 7, 0))
		if _, err := p.Receive(t.Context()); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		err := p.Send(ctx, &iscsi.PDU{BHS: [iscsi.BHSLen]byte{0: 0x43}})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 10*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}
