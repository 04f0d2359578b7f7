package discovery

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/portal"
)

// Error is a discovery that failed.
type Error struct {
	Path    []bootspec.Portal // as in Result
	Timeout time.Duration     // of the configuration
	// Err is a *portal.ResolveError, *portal.ConnectError or *portal.RedirectError, one of the
	// errors of [iscsi.Login], a context's error, or that of the connection.
	Err error
}

// Error implements error. A refusal follows the portal without a colon, as at boot.
func (e *Error) Error() string {
	var hops []string
	for _, p := range e.Path {
		hops = append(hops, p.String())
	}
	at := strings.Join(hops, ", redirected to ")
	var status *iscsi.StatusError
	switch {
	case errors.As(e.Err, &status):
		return fmt.Sprintf("login to %s %v", at, status)
	case e.connected() && errors.Is(e.Err, context.DeadlineExceeded):
		return fmt.Sprintf("%s: no complete answer within %v", at, e.Timeout)
	}
	return fmt.Sprintf("%s: %v", at, e.Err)
}

// connected reports whether there was a TCP connection.
func (e *Error) connected() bool {
	var connect *portal.ConnectError
	var resolve *portal.ResolveError
	return !errors.As(e.Err, &connect) && !errors.As(e.Err, &resolve)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Hint returns what to do, where the error alone does not show it; it names the options of
// "iscsiroot discover" where the hints at boot (pkg/session) name parameters.
func (e *Error) Hint() string {
	var status *iscsi.StatusError
	var auth *iscsi.AuthError
	var connect *portal.ConnectError
	switch {
	case errors.As(e.Err, &status):
		return statusHint(status)
	case errors.As(e.Err, &auth):
		return authHint(auth.Reason)
	case errors.Is(e.Err, syscall.ECONNREFUSED):
		return "the host is up, but nothing listens on this port: check that the target is running, and its port"
	case errors.As(e.Err, &connect):
		return "check the address, the route to it, and that the target's host is up"
	}
	return ""
}

func statusHint(e *iscsi.StatusError) string {
	switch e.Code() {
	case iscsi.StatusAuthFailure:
		return "correct user and secret in --credentials; without that option, the target requires CHAP"
	case iscsi.StatusNotAuthorized:
		return "add the name of --initiator to the target's access list"
	case iscsi.StatusSessionType:
		return "the target does not allow discovery here: name its portal and target in the machine's configuration"
	case iscsi.StatusServiceUnavailable:
		return "the target is starting or under maintenance"
	}
	return ""
}

func authHint(r iscsi.AuthReason) string {
	switch r {
	case iscsi.AuthNone, iscsi.AuthSkipped:
		return "the target does not request authentication for discovery: leave out --credentials, or set up CHAP there"
	case iscsi.AuthTargetUser:
		return "correct the target's user in --credentials"
	case iscsi.AuthTargetResponse:
		return "correct the target's secret in --credentials; if it is correct, another target answers at this address"
	case iscsi.AuthTargetSilent:
		return "set up mutual CHAP for discovery at the target, or leave out the target's user and secret"
	}
	return ""
}
