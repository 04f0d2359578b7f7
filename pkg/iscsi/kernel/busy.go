package kernel

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// A connection in the kernel has one task for all its Login and Text Requests. While that is not
// free the kernel refuses the next one with EPERM and logs "Login/Text in progress. Cannot start
// new task." (drivers/scsi/libiscsi.c: __iscsi_conn_send_pdu). A response is received before it is
// free: the receive path sends the event first and completes the task then (__iscsi_complete_pdu,
// recv_pdu:), and the worker that has sent the request holds a reference until it runs again
// (iscsi_xmit_task). So the refusal of a request behind a response passes, mostly within a
// millisecond. open-iscsi ignores that return code (usr/netlink.c: ksend_pdu_end): it waits for a
// response until its login times out, and connects anew.

// How long to wait for the kernel's task.
const (
	busyPause    = time.Millisecond      // the first pause; doubled after each refusal
	maxBusyPause = 50 * time.Millisecond // the longest pause
	maxBusy      = time.Second           // in all
)

// BusyError reports a Login Request that the kernel refuses because its task for these is not free.
type BusyError struct {
	Err error
	// First is set for the first request of a login: then the task belongs to the login of
	// another program, or the session is being ended.
	First bool
}

// Error implements error.
func (e *BusyError) Error() string {
	if e.First {
		return e.Err.Error() + ": another program logs in by this connection, or the kernel is ending it"
	}
	return e.Err.Error() + ": the kernel has not finished the last login request"
}

// Retryable returns true: stopping the connection frees the task (drivers/scsi/libiscsi.c:
// fail_mgmt_tasks).
func (e *BusyError) Retryable() bool { return true }

// Unwrap returns the kernel's refusal.
func (e *BusyError) Unwrap() error { return e.Err }

// sendWhenFree sends a PDU, and again while the task of the request before is not free. The first
// request of a pipe has none before it, and is not sent again.
func (p *Pipe) sendWhenFree(ctx context.Context, op iscsi.Opcode, ev *uevent) error {
	pause := busyPause
	for waited := time.Duration(0); ; {
		err := p.s.t.command(ctx, ev, p.s.String())
		if !isErrno(err, unix.EPERM) || op != iscsi.OpLoginRequest {
			return err
		}
		if !p.answered || waited >= maxBusy {
			return &BusyError{Err: err, First: !p.answered}
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", err, ctx.Err())
		}
		waited += pause
		pause = min(2*pause, maxBusyPause)
	}
}
