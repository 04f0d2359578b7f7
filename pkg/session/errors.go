package session

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
)

// LoginError is a login that did not come about.
type LoginError struct {
	Target string
	Portal netip.AddrPort
	Err    error
}

// Error implements error; the target's refusal follows without a colon, so that
// it reads as a sentence.
func (e *LoginError) Error() string {
	sep := ": "
	var status *iscsi.StatusError
	if errors.As(e.Err, &status) {
		sep = " "
	}
	return fmt.Sprintf("login to %s at %s%s%v", e.Target, e.Portal, sep, e.Err)
}

// Unwrap returns the cause.
func (e *LoginError) Unwrap() error { return e.Err }

// Heals tells whether a later try can succeed: the network and a target that
// does not answer, or says that it is not ready, can; a refusal cannot.
func (e *LoginError) Heals() bool {
	var connect *ConnectError
	var broke kernel.ConnError
	var status *iscsi.StatusError
	switch {
	case errors.As(e.Err, &status):
		return status.Heals()
	case errors.As(e.Err, &connect), errors.As(e.Err, &broke), errors.Is(e.Err, kernel.ErrEventsLost):
		return true
	case errors.Is(e.Err, syscall.ENOTCONN): // the kernel's answer to a request when it has seen the end already
		return true
	}
	return errors.Is(e.Err, context.DeadlineExceeded)
}

// Hint says what to do about it, where the error alone does not.
func (e *LoginError) Hint() string {
	var connect *ConnectError
	var broke kernel.ConnError
	var status *iscsi.StatusError
	switch {
	case errors.As(e.Err, &status):
		return statusHint(status.Code())
	case errors.As(e.Err, &broke) && broke == kernel.TargetClosed:
		return "some targets close without a word when they do not know the target name or this initiator: check iscsi_t=, iscsi_i= and the target's access list"
	case errors.Is(e.Err, syscall.ECONNREFUSED):
		return "the host is up and nothing listens there: is the target running, and is iscsi_p= right?"
	case errors.Is(e.Err, syscall.EHOSTUNREACH), errors.Is(e.Err, syscall.ENETUNREACH), errors.As(e.Err, &connect) && connect.timedOut():
		return "check iscsi_a=, iscsi_gw=, the mask in iscsi_i_ip=, and that the target's host is up"
	}
	return ""
}

// statusHint names the parameter to look at.
func statusHint(code uint16) string {
	switch code {
	case 0x0201:
		return "the target asks for CHAP, which this version does not speak: allow this initiator without it"
	case 0x0202:
		return "add the name in iscsi_i= to the target's access list"
	case 0x0203, 0x0204:
		return "correct iscsi_t= or iscsi_a=; some targets say the same when the name in iscsi_i= is not in their access list"
	case 0x0206:
		return "is another machine using the same iscsi_i=? give each its own"
	}
	return ""
}

// ConnectError is a TCP connection that did not come about.
type ConnectError struct {
	Portal netip.AddrPort
	Err    error
}

// Error implements error. The portal is the caller's to name.
func (e *ConnectError) Error() string {
	switch {
	case errors.Is(e.Err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(e.Err, syscall.EHOSTUNREACH):
		return "no host answers at this address"
	case errors.Is(e.Err, syscall.ENETUNREACH):
		return "no route to this address"
	case e.timedOut():
		return "connection timed out"
	}
	var errno syscall.Errno
	if errors.As(e.Err, &errno) { // what is around it names the portal too
		return "connect: " + errno.Error()
	}
	return "connect: " + e.Err.Error()
}

// timedOut tells that nothing came back at all. The net package's own time-out
// is no os.ErrDeadlineExceeded.
func (e *ConnectError) timedOut() bool {
	var timeout net.Error
	return errors.As(e.Err, &timeout) && timeout.Timeout()
}

// Unwrap returns the cause.
func (e *ConnectError) Unwrap() error { return e.Err }
