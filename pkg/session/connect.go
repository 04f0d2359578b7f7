package session

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
)

// ConnectError is a TCP connection that did not come about.
type ConnectError struct {
	Portal netip.AddrPort
	Way    Way
	Err    error
}

// Error implements error. The portal is the caller's to name.
func (e *ConnectError) Error() string {
	text := e.cause()
	if e.Way.Source.IsValid() {
		text += " from " + e.Way.Source.String()
	}
	if e.Way.Device != "" {
		text += " by " + e.Way.Device
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

// Heals tells that the network may be mended.
func (e *ConnectError) Heals() bool { return true }

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

// Heals tells that a name may be there later, as its server may.
func (e *ResolveError) Heals() bool { return true }

// Unwrap returns the cause.
func (e *ResolveError) Unwrap() error { return e.Err }
