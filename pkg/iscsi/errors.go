package iscsi

import (
	"errors"
	"fmt"
	"strconv"
)

// ProtocolError is a violation of RFC 7143 by the target. The connection cannot be used further; a
// retry seldom helps.
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
// target rejected in general (0200, 020b): it may not support a security stage. The caller may
// connect again and call [Login] without SecurityStage in its [LoginConfig].
//
// A connection that ends without a response is not a StageError: it may be a reset, and a login
// without the security stage may leave an old session at the target.
type StageError struct{ Err error }

func (e *StageError) Error() string { return e.Err.Error() }

// Unwrap returns the cause, a *StatusError.
func (e *StageError) Unwrap() error { return e.Err }

// maxQuoted bounds, in bytes before quoting, how much of a target's text is in one error.
const maxQuoted = 200

// quote makes text of the target safe for a log line: quoted, and truncated.
func quote(s string) string {
	if len(s) > maxQuoted {
		return strconv.Quote(s[:maxQuoted]) + "..."
	}
	return strconv.Quote(s)
}

// MoreSpecific returns the more specific error of two logins, the first if both are equally
// specific: a status or an *AuthError, then a rejection in general (0200, 020b), then a
// *ProtocolError, then the end of the connection without a response.
func MoreSpecific(first, retry error) error {
	if specificity(retry) > specificity(first) {
		return retry
	}
	return first
}

// specificity ranks errors for MoreSpecific.
func specificity(err error) int {
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
