package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
)

// LoginError is a login that failed at all portals.
type LoginError struct {
	Initiator, Target string
	Attempt           int // which login of the session this was, from 1
	// Refusals is how many consecutive logins, this one included, ended because the target
	// refused this initiator, or failed to authenticate.
	Refusals int
	Portals  []PortalError // by portal; one at least
}

// PortalError is the error at one portal.
type PortalError struct {
	Portal string // and where it redirected to
	Err    error
}

// The retries of a login that was refused.
const (
	maxRefusals  = 3               // enough for most temporary refusals
	refusalPause = 2 * time.Second // as long as RFC 7143's DefaultTime2Wait is by default
)

// maxPortalsShown is how many portals an error message names.
const maxPortalsShown = 4

// Error implements error; the target's refusal follows without a colon, so that it reads as a
// sentence.
func (e *LoginError) Error() string {
	texts := e.texts()
	told := strings.Join(texts[:min(maxPortalsShown, len(texts))], ";")
	if more := len(texts) - maxPortalsShown; more > 0 {
		told += fmt.Sprintf("; and at %d more", more)
	}
	return fmt.Sprintf("login to %s%s (initiator %s, attempt %d)", e.Target, told, e.Initiator, e.Attempt)
}

// texts returns the message of each portal. Several NICs may have the same refusal, which is
// included once.
func (e *LoginError) texts() []string {
	var out []string
	for _, t := range e.Portals {
		sep := ": "
		var status *iscsi.StatusError
		if errors.As(t.Err, &status) {
			sep = " "
		}
		if text := fmt.Sprintf(" at %s%s%v", t.Portal, sep, t.Err); !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return out
}

// Unwrap returns the causes.
func (e *LoginError) Unwrap() []error {
	var out []error
	for _, t := range e.Portals {
		out = append(out, t.Err)
	}
	return out
}

// Retryable reports whether a later login can succeed: after errors of the network, and of a target
// that does not answer or is not ready, it can. After a refusal it can not, but the target may be
// loading its access list, so that it is retried up to three times.
func (e *LoginError) Retryable() bool {
	for _, t := range e.Portals {
		if retryable(t.Err) {
			return true
		}
	}
	return e.refused() && e.Refusals < maxRefusals
}

// Pause returns how long to wait before the next login; 0: the caller decides.
func (e *LoginError) Pause() time.Duration {
	if e.refused() {
		return refusalPause
	}
	return 0
}

// refused reports whether a portal refused this initiator, or failed to authenticate.
func (e *LoginError) refused() bool {
	for _, t := range e.Portals {
		if NeedsAdministrator(t.Err) {
			return true
		}
	}
	return false
}

// final reports whether another path to the same portal cannot change a refusal: one of the
// authentication, where each failed login counts at a target that locks initiators out. 0202 is not
// final: an access list may have source addresses, which differ by NIC (ctl.conf(5),
// initiator-portal).
func final(err error) bool {
	var status *iscsi.StatusError
	var auth *iscsi.AuthError
	if errors.As(err, &status) {
		return status.Code() == iscsi.StatusAuthFailure
	}
	return errors.As(err, &auth)
}

// NeedsAdministrator reports whether a login failed because the target refuses this initiator, or
// because the target did not authenticate itself. Waiting does not help then: the administrator has
// to change the configuration of one of the two.
func NeedsAdministrator(err error) bool {
	var status *iscsi.StatusError
	var auth *iscsi.AuthError
	if errors.As(err, &status) {
		return status.NeedsAdministrator()
	}
	return errors.As(err, &auth)
}

// retryable reports whether an error at one portal is temporary.
func retryable(err error) bool {
	var h interface{ Retryable() bool }
	switch {
	case errors.As(err, &h): // an error that defines it itself
		return h.Retryable()
	case errors.Is(err, kernel.ErrEventsLost):
		return true
	case errors.Is(err, syscall.ENOTCONN): // the kernel's error for a request after the connection has ended
		return true
	}
	return errors.Is(err, context.DeadlineExceeded)
}

// SilenceError is a target that accepts connections and does not answer a Login Request.
type SilenceError struct{ After time.Duration }

// Error implements error.
func (e *SilenceError) Error() string {
	return fmt.Sprintf("target does not answer for %v", e.After)
}

// Retryable returns true: it may answer later.
func (e *SilenceError) Retryable() bool { return true }

// stageError adds the stage of the login to an error.
type stageError struct {
	stage iscsi.Stage
	err   error
}

// Error implements error.
func (e *stageError) Error() string {
	text := e.err.Error()
	if name := e.stage.String(); !strings.Contains(text, name) {
		text += ", in the " + name
	}
	return text
}

// Unwrap returns the cause.
func (e *stageError) Unwrap() error { return e.err }
