package session

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/portal"
)

// dialError is how package net reports an errno of connect(2).
func dialError(errno syscall.Errno) error {
	return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", errno)}
}

// timedOutDial is the real error of a dial that ran out of time.
func timedOutDial(t *testing.T) error {
	t.Helper()
	d := net.Dialer{Deadline: time.Unix(1, 0)}
	_, err := d.DialContext(t.Context(), "tcp", "127.0.0.1:1")
	if err == nil {
		t.Fatal("connected in the past")
	}
	return err
}

// Each reason for which the kernel ends a connection (include/scsi/iscsi_if.h: enum iscsi_err) is
// in words, and has a hint.
func TestKernelErrors(t *testing.T) {
	for code := kernel.ConnError(1001); code <= 1022; code++ {
		err := tried(code)
		if text := code.Error(); strings.Contains(text, "not in Linux") || !strings.HasSuffix(text, fmt.Sprintf(" (kernel error %d)", code)) {
			t.Errorf("%d: %s", code, text)
		}
		if hint := err.Hint(); !strings.Contains(hint, "check") && !strings.Contains(hint, "dmesg") {
			t.Errorf("%v: hint %q", code, hint)
		}
	}
	if hint := tried(kernel.ConnError(1099)).Hint(); hint != "" {
		t.Errorf("a newer kernel's: hint %q", hint)
	}
}

func TestConnectErrors(t *testing.T) {
	const gateway = "check iscsi_a=, iscsi_gw="
	for _, tt := range []struct {
		err        error
		text, hint string
	}{
		{dialError(syscall.ECONNREFUSED), "connection refused", "and iscsi_p="},
		{dialError(syscall.EHOSTUNREACH), "no host answers at this address", gateway},
		{dialError(syscall.ENETUNREACH), "no route to this address", gateway},
		{dialError(syscall.ETIMEDOUT), "connection timed out", gateway},
		{timedOutDial(t), "connection timed out", gateway},
		{dialError(syscall.EACCES), "connect: permission denied", ""},
		{context.Canceled, "connect: context canceled", ""},
	} {
		err := tried(&portal.ConnectError{Err: tt.err})
		if got := err.Portals[0].Err.Error(); got != tt.text {
			t.Errorf("%v: got %q, want %q", tt.err, got, tt.text)
		}
		if got := err.Hint(); !strings.Contains(got, tt.hint) || (got == "") != (tt.hint == "") {
			t.Errorf("%v: hint %q", tt.err, got)
		}
		if !err.Retryable() || !errors.Is(err, tt.err) {
			t.Errorf("%v: retryable %v", tt.err, err.Retryable())
		}
	}
}

// tried is a login that failed at one portal, for the last time if it is a refusal.
func tried(err error) *LoginError {
	return &LoginError{Attempt: 3, Refusals: 3, Portals: []PortalError{{Err: err}}}
}

// A retryable error is retried without a limit, so no other error may be retryable.
func TestRetryable(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want bool
	}{
		{kernel.TargetClosed, true},
		{kernel.ConnError(1011), true},
		{kernel.ErrEventsLost, true},
		{context.DeadlineExceeded, true},
		{&iscsi.StatusError{Class: 3, Detail: 1}, true},
		{&iscsi.StatusError{Class: 2, Detail: 2}, false},
		{&iscsi.AuthError{Reason: iscsi.AuthSkipped}, false},
		{&SilenceError{}, true},
		{&portal.RedirectError{}, true},
		{&portal.ResolveError{Err: fs.ErrNotExist}, true},
		{&iscsi.StatusError{Class: 1, Detail: 1}, false},
		{&kernel.RequestError{Errno: syscall.ENOTCONN}, true},
		{&kernel.RequestError{Errno: syscall.EINVAL}, false},
		{&iscsi.ProtocolError{}, false},
		{context.Canceled, false},
		{fs.ErrClosed, false},
	} {
		err := tried(fmt.Errorf("receive response 1: %w", tt.err))
		if err.Retryable() != tt.want {
			t.Errorf("%v: %v", tt.err, !tt.want)
		}
	}
}

// A refusal of this initiator is not temporary, also when it is wrapped.
func TestNeedsAdministrator(t *testing.T) {
	for code, want := range map[iscsi.Status]bool{0x0201: true, 0x0202: true, 0x0203: false, 0x0301: false, 0x0206: false, 0x0300: false} {
		err := fmt.Errorf("login: %w", &iscsi.StatusError{Class: uint8(code >> 8), Detail: uint8(code)})
		if got := NeedsAdministrator(err); got != want {
			t.Errorf("%04x: %v", code, got)
		}
	}
	if !NeedsAdministrator(fmt.Errorf("login: %w", &iscsi.AuthError{})) {
		t.Error("an *iscsi.AuthError needs no administrator")
	}
}

// The hint of a refusal that a parameter can correct names the parameter.
func TestStatusHints(t *testing.T) {
	for code, want := range map[uint16]string{
		0x0201: "CHAP", 0x0202: "iscsi_i=", 0x0203: "iscsi_t=", 0x0204: "iscsi_a=", 0x0206: "iscsi_i=", 0x0301: "iscsi_t=", 0x0101: "",
	} {
		err := tried(&iscsi.StatusError{Class: uint8(code >> 8), Detail: uint8(code)})
		if got := err.Hint(); !strings.Contains(got, want) || (got == "") != (want == "") {
			t.Errorf("%04x: %q", code, got)
		}
	}
}

// The texts of look-ups that failed.
func TestResolveErrors(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{&net.DNSError{IsNotFound: true}, "no such host name"},
		{&net.DNSError{IsTimeout: true}, "no name server answers"},
		{&net.DNSError{Err: "read udp 127.0.0.1:5->127.0.0.1:53: read: connection refused"}, "no name server answers"},
		{&net.DNSError{Err: "server misbehaving"}, "look up host name: server misbehaving"},
		{fs.ErrClosed, "look up host name: file already closed"},
	} {
		err := &portal.ResolveError{Host: "a", Err: tt.err}
		if err.Error() != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%v: %s", tt.err, err)
		}
	}
}
