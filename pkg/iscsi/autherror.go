package iscsi

import "fmt"

// AuthReason is why an authentication did not come about.
type AuthReason uint8

// The reasons; a status that the target sends is a StatusError instead, such as 0201 for a wrong
// user or secret of ours.
const (
	// AuthNone: the target does not do CHAP, it chose None or rejected it.
	AuthNone AuthReason = iota + 1
	// AuthSkipped: the target went on without asking for our proof.
	AuthSkipped
	// AuthAlgorithm: the target allows none of our algorithms, or chose one that we do not
	// allow.
	AuthAlgorithm
	// AuthMalformed: a CHAP key is missing, out of its range or no value at all.
	AuthMalformed
	// AuthOrder: a CHAP key before its turn, or a second time.
	AuthOrder
	// AuthReflected: the target sent our own challenge or response back.
	AuthReflected
	// AuthTargetUser: the target proved itself under another name.
	AuthTargetUser
	// AuthTargetResponse: the target's proof is wrong, so its secret is another, or it is not
	// our target.
	AuthTargetResponse
	// AuthTargetSilent: the target did not prove itself, though it has to.
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
	AuthReflected:      "target reflects our own CHAP values",
	AuthTargetUser:     "target has another CHAP name",
	AuthTargetResponse: "target's CHAP response is wrong",
	AuthTargetSilent:   "target did not answer our CHAP challenge",
	AuthChallenge:      "target's CHAP challenge is too short",
}

// String returns the reason in words.
func (r AuthReason) String() string {
	if int(r) < len(authReasons) && authReasons[r] != "" {
		return authReasons[r]
	}
	return fmt.Sprintf("reason %d", uint8(r))
}

// AuthError is an authentication that we broke off: the target is not to be trusted, or does not do
// what is configured. It never passes by itself.
type AuthError struct {
	Reason AuthReason
	// What tells more, for people; text of the target in it is quoted, and it never holds a
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

// AlgorithmsError is a login that ended when the target saw our list of CHAP algorithms: rejected,
// refused in general (0200, 0201, 020b, 0300) or closed without an answer. Some old targets
// understand no list, and some mean SHA1 where they answer 7, which is SHA-256: they refuse the
// proof in general, or close. If the caller's policy allows MD5, which was in the list, it may
// connect once more with Algorithms: []Algorithm{MD5}.
type AlgorithmsError struct{ Err error }

func (e *AlgorithmsError) Error() string { return e.Err.Error() }

// Unwrap returns the cause: an *AuthError, a *StatusError or the pipe's error.
func (e *AlgorithmsError) Unwrap() error { return e.Err }
