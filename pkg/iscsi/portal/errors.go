package portal

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
)

// ConnectError reports that a TCP connection could not be established.
type ConnectError struct {
	Portal netip.AddrPort // may be the zero value where a name has several addresses
	// Source is the requested local address; not valid: the kernel chose.
	Source netip.Addr
	// Device is the interface that the socket was bound to; "": none.
	Device string
	Err    error
}

// Error implements error. The caller adds the portal.
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

// cause returns the text of the cause.
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
	if errors.As(e.Err, &errno) { // the caller's text names the portal
		return "connect: " + errno.Error()
	}
	return "connect: " + e.Err.Error()
}

// TimedOut reports whether no packet came back. The net package's own time-out is not an
// os.ErrDeadlineExceeded.
func (e *ConnectError) TimedOut() bool {
	var timeout net.Error
	return errors.As(e.Err, &timeout) && timeout.Timeout()
}

// Retryable returns true: the network may recover.
func (e *ConnectError) Retryable() bool { return true }

// Unwrap returns the cause.
func (e *ConnectError) Unwrap() error { return e.Err }

// ResolveError reports a name without an address.
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

// Retryable returns true: the name, or its server, may become available.
func (e *ResolveError) Retryable() bool { return true }

// Unwrap returns the cause.
func (e *ResolveError) Unwrap() error { return e.Err }

// RedirectError reports a redirect that is not followed.
type RedirectError struct {
	To    string
	Cause string
}

// Error implements error.
func (e *RedirectError) Error() string { return "redirected to " + e.To + ", " + e.Cause }

// Retryable returns true: portals redirect to each other while they fail over.
func (e *RedirectError) Retryable() bool { return true }
