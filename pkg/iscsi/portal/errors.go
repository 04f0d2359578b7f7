package portal

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
)

// ConnectError is a TCP connection that did not come about.
type ConnectError struct {
	Portal netip.AddrPort // may be the zero value where a name has several addresses
	// Source is the local address that was asked for; not valid: the kernel chose.
	Source netip.Addr
	// Device is the interface that the socket was bound to; "": none.
	Device string
	Err    error
}

// Error implements error. The portal is the caller's to name.
func (e *ConnectError) Error() string {
	text := e.cause()
	if e.Source.IsValid() {
		text += " from " + e.Source.String()
	}
	if e.Device != "" {
		text += " by " + e.Device
	}
	return text
}

// cause is what went wrong, in words.
func (e *ConnectError) cause() string {
	switch {
	case errors.Is(e.Err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(e.Err, syscall.EHOSTUNREACH):
		return "no host answers at this address"
	case errors.Is(e.Err, syscall.ENETUNREACH):
		return "no route to this address"
	case e.TimedOut():
		return "connection timed out"
	}
	var errno syscall.Errno
	if errors.As(e.Err, &errno) { // what is around it names the portal too
		return "connect: " + errno.Error()
	}
	return "connect: " + e.Err.Error()
}

// TimedOut tells that nothing came back at all. The net package's own time-out is no
// os.ErrDeadlineExceeded.
func (e *ConnectError) TimedOut() bool {
	var timeout net.Error
	return errors.As(e.Err, &timeout) && timeout.Timeout()
}

// Retryable tells that the network may be mended.
func (e *ConnectError) Retryable() bool { return true }

// Unwrap returns the cause.
func (e *ConnectError) Unwrap() error { return e.Err }

// ResolveError is a name without an address.
type ResolveError struct {
	Host string
	Err  error
}

// Error implements error.
func (e *ResolveError) Error() string {
	var dns *net.DNSError
	switch {
	case errors.As(e.Err, &dns) && dns.IsNotFound:
		return "no such host name"
	case errors.As(e.Err, &dns) && (dns.IsTimeout || strings.HasSuffix(dns.Err, "connection refused")):
		return "no name server answers"
	case errors.As(e.Err, &dns):
		return "look up host name: " + dns.Err
	}
	return "look up host name: " + e.Err.Error()
}

// Retryable tells that a name may be there later, as its server may.
func (e *ResolveError) Retryable() bool { return true }

// Unwrap returns the cause.
func (e *ResolveError) Unwrap() error { return e.Err }

// RedirectError is a redirect that is not followed.
type RedirectError struct {
	To    string
	Cause string
}

// Error implements error.
func (e *RedirectError) Error() string { return "redirected to " + e.To + ", " + e.Cause }

// Retryable tells that it may be sorted out: portals that are failing over send a machine to and
// fro.
func (e *RedirectError) Retryable() bool { return true }
