package iscsi

import (
	"errors"
	"fmt"
	"strconv"
)

// ProtocolError is a target that did what RFC 7143 does not allow. The connection is of no further
// use; trying again seldom helps.
type ProtocolError struct {
	// What the target did, for people; text from the target in it is quoted.
	What string
	// Section of RFC 7143 that it breaks, such as "11.13".
	Section string
}

func (e *ProtocolError) Error() string {
	return "protocol error of the target: " + e.What + " (RFC 7143 " + e.Section + ")"
}

func protocolErrorf(section, format string, args ...any) error {
	return &ProtocolError{What: fmt.Sprintf(format, args...), Section: section}
}

// StageError is a login that began in the security stage without CHAP, and whose first request the
// target turned down with a complaint about the request as such (0200, 020b): it may want no
// security stage. The caller may connect once more and call [Login] without SecurityStage in its
// [LoginConfig].
//
// A connection that ends without an answer is none: a reset on the way looks the same, and the
// other form of the login may leave an old session at the target.
type StageError struct{ Err error }

func (e *StageError) Error() string { return e.Err.Error() }

// Unwrap returns the cause, a *StatusError.
func (e *StageError) Unwrap() error { return e.Err }

// maxQuoted bounds, in bytes before quoting, how much of a target's text goes into one error.
const maxQuoted = 200

// quote makes text from outside safe for a log line: quoted, and cut.
func quote(s string) string {
	if len(s) > maxQuoted {
		return strconv.Quote(s[:maxQuoted]) + "..."
	}
	return strconv.Quote(s)
}

// Telling returns which error of two tries of one login says more, the first if both say as much: a
// status or an *AuthError more than a complaint about the request in general (0200, 020b), that
// more than a *ProtocolError, and any of them more than a connection that ended without a word.
func Telling(first, retry error) error {
	if telling(retry) > telling(first) {
		return retry
	}
	return first
}

// telling ranks errors by what a person learns from them.
func telling(err error) int {
	var status *StatusError
	var auth *AuthError
	var broke *ProtocolError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &auth):
		return 4
	case errors.As(err, &status):
		if status.unspecific() {
			return 3
		}
		return 4
	case errors.As(err, &broke):
		return 2
	}
	return 1
}
