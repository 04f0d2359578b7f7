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

// LoginError is a login that did not come about at any portal.
type LoginError struct {
	Initiator, Target string
	Attempt           int // which login of the session this was, from 1
	// Refusals is how many logins in a row, this one included, ended because the target did not
	// want this initiator, or we did not want the target.
	Refusals int
	Tries    []Try // by portal; one at least
}

// Try is what happened at one portal.
type Try struct {
	Portal string // and where it redirected to
	Err    error
}

// How often a login that was refused is tried again.
const (
	maxRefusals  = 3               // a status that passes by itself mostly has passed by then
	refusalPause = 2 * time.Second // as long as RFC 7143's DefaultTime2Wait is by default
)

// maxTold is how many portals an error tells of.
const maxTold = 4

// Error implements error; the target's refusal follows without a colon, so that it reads as a
// sentence.
func (e *LoginError) Error() string {
	texts := e.texts()
	told := strings.Join(texts[:min(maxTold, len(texts))], ";")
	if more := len(texts) - maxTold; more > 0 {
		told += fmt.Sprintf("; and at %d more", more)
	}
	return fmt.Sprintf("login to %s%s (initiator %s, attempt %d)", e.Target, told, e.Initiator, e.Attempt)
}

// texts are the tries in words. Several NICs may lead to the same refusal, which is told once.
func (e *LoginError) texts() []string {
	var out []string
	for _, t := range e.Tries {
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
	for _, t := range e.Tries {
		out = append(out, t.Err)
	}
	return out
}

// Retryable tells whether a later try can succeed: the network and a target that does not answer,
// or says that it is not ready, can. A refusal can not, but the target may just be reading its
// access list, so it is asked three times.
func (e *LoginError) Retryable() bool {
	for _, t := range e.Tries {
		if retryable(t.Err) {
			return true
		}
	}
	return e.refused() && e.Refusals < maxRefusals
}

// Pause returns how long to wait before the next try, 0 if the caller knows better.
func (e *LoginError) Pause() time.Duration {
	if e.refused() {
		return refusalPause
	}
	return 0
}

// refused tells that a portal's answer was about who we are, or that we did not believe it who it
// is.
func (e *LoginError) refused() bool {
	for _, t := range e.Tries {
		if NeedsAdministrator(t.Err) {
			return true
		}
	}
	return false
}

// final tells whether another path to the same portal cannot change a refusal: it is about the
// secret, and each failed login counts at a target that locks an initiator out. 0202 is not final:
// an access list may be one of source addresses, which differ by NIC (ctl.conf(5),
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
// because the target did not prove itself to us. Waiting does not help then: a person has to change
// the configuration of one of the two.
func NeedsAdministrator(err error) bool {
	var status *iscsi.StatusError
	var auth *iscsi.AuthError
	if errors.As(err, &status) {
		return status.NeedsAdministrator()
	}
	return errors.As(err, &auth)
}

// retryable judges one portal.
func retryable(err error) bool {
	var h interface{ Retryable() bool }
	switch {
	case errors.As(err, &h): // of whichever package knows best
		return h.Retryable()
	case errors.Is(err, kernel.ErrEventsLost):
		return true
	case errors.Is(err, syscall.ENOTCONN): // the kernel's answer to a request when it has seen the end already
		return true
	}
	return errors.Is(err, context.DeadlineExceeded)
}

// SilenceError is a target that takes connections and does not answer a Login Request.
type SilenceError struct{ After time.Duration }

// Error implements error.
func (e *SilenceError) Error() string {
	return fmt.Sprintf("target does not answer for %v", e.After)
}

// Retryable tells that it may answer later.
func (e *SilenceError) Retryable() bool { return true }

// stageError tells in which stage of the login something happened.
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
