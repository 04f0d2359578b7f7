package iscsi

import "fmt"

// AuthReason is why an authentication failed.
type AuthReason uint8

// The reasons; a status that the target sends is a StatusError instead, such as 0201 for a wrong
// user or secret of this initiator.
const (
	// AuthNone: the target does not do CHAP, it chose None or rejected it.
	AuthNone AuthReason = iota + 1
	// AuthSkipped: the target continued without a challenge.
	AuthSkipped
	// AuthAlgorithm: the target allows none of the offered algorithms, or chose one that is not
	// allowed.
	AuthAlgorithm
	// AuthMalformed: a CHAP key is missing, out of its range or not a valid value.
	AuthMalformed
	// AuthOrder: a CHAP key out of order, or a second time.
	AuthOrder
	// AuthReflected: the target sent the initiator's own challenge or response back.
	AuthReflected
	// AuthTargetUser: the target authenticated with another name.
	AuthTargetUser
	// AuthTargetResponse: the target's response is wrong: it has another secret, or it is
	// another target.
	AuthTargetResponse
	// AuthTargetSilent: the target did not authenticate itself, which is required.
	AuthTargetSilent
	// AuthChallenge: the target's challenge is too short to be answered.
	AuthChallenge
)

var authReasons = [...]string{
	AuthNone:           "target does not use CHAP",
	AuthSkipped:        "target skipped the authentication",
	AuthAlgorithm:      "no CHAP algorithm in common",
	AuthMalformed:      "malformed CHAP value",
	AuthOrder:          "CHAP key out of order",
	AuthReflected:      "target reflects the initiator's CHAP values",
	AuthTargetUser:     "target has another CHAP name",
	AuthTargetResponse: "target's CHAP response is wrong",
	AuthTargetSilent:   "target did not answer the initiator's CHAP challenge",
	AuthChallenge:      "target's CHAP challenge is too short",
}

// String returns the reason in words.
func (r AuthReason) String() string {
	if int(r) < len(authReasons) && authReasons[r] != "" {
		return authReasons[r]
	}
	return fmt.Sprintf("reason %d", uint8(r))
}

// AuthError is an authentication that the initiator ended: the target is not trusted, or does not
// do what is configured. It is never temporary.
type AuthError struct {
	Reason AuthReason
	// What has details, for people; text of the target in it is quoted, and it never contains a
	// secret, a challenge or a response. May be empty.
	What string
}

func (e *AuthError) Error() string {
	if e.What == "" {
		return "authentication: " + e.Reason.String()
	}
	return "authentication: " + e.Reason.String() + ": " + e.What
}

func authErrorf(r AuthReason, format string, args ...any) error {
	return &AuthError{Reason: r, What: fmt.Sprintf(format, args...)}
}

// AlgorithmsError is a login that ended after the list of CHAP algorithms was sent: rejected,
// refused in general (0200, 0201, 020b, 0300) or closed without a response. Some old targets do not
// support lists, and some use 7, which is SHA-256, for SHA1: they refuse the response in general,
// or close. If the caller's policy allows MD5, which was in the list, it may connect again with
// Algorithms: []Algorithm{MD5}.
type AlgorithmsError struct{ Err error }

func (e *AlgorithmsError) Error() string { return e.Err.Error() }

// Unwrap returns the cause: an *AuthError, a *StatusError or the pipe's error.
func (e *AlgorithmsError) Unwrap() error { return e.Err }
