package iscsi

import (
	"errors"
	"fmt"
	"io"
	"slices"
)

// MinSecretLen is the shortest secret in bytes that RFC 7143 9.2.1 allows where the connection is
// not encrypted: 96 bits.
const MinSecretLen = 12

// CHAP is how the initiator proves itself to a target and, if Mutual, the target to the initiator
// (RFC 7143 12.1.3, RFC 1994). With a CHAP in the configuration nothing else is offered and nothing
// else accepted.
type CHAP struct {
	// User and Secret prove the initiator: 1 to 255 bytes each.
	User   string
	Secret Secret
	// TargetUser and TargetSecret prove the target. Both empty is one-way authentication; an
	// empty TargetUser with a secret accepts any name.
	TargetUser   string
	TargetSecret Secret
	// Algorithms are those to offer, strongest first; nil means all four. The target chooses,
	// so this is also the policy for the weakest allowed.
	Algorithms []Algorithm
	// Random is where the challenges to a target come from; nil means crypto/rand. For tests.
	Random io.Reader
}

// Mutual reports whether the target has to prove itself too.
func (c *CHAP) Mutual() bool { return c.TargetUser != "" || !c.TargetSecret.Empty() }

// Check verifies what must hold before anything is sent; Login and Discover call it. Its errors
// never hold a secret.
func (c *CHAP) Check() error {
	var errs []error
	if c.Secret.Empty() {
		errs = append(errs, errors.New("no secret"))
	}
	errs = append(errs, checkUser("user", c.User, false), checkUser("target's user", c.TargetUser, true))
	if c.Mutual() && c.TargetSecret.Empty() {
		errs = append(errs, errors.New("a user of the target without a secret of the target"))
	}
	if !c.Secret.Empty() && c.Secret.Equal(c.TargetSecret) {
		errs = append(errs, errors.New("the same secret in both directions (RFC 7143 9.2.1 forbids it)"))
	}
	if c.Algorithms != nil && len(c.Algorithms) == 0 {
		errs = append(errs, errors.New("no algorithm allowed"))
	}
	for i, a := range c.Algorithms {
		if !a.known() {
			errs = append(errs, fmt.Errorf("%v: not known", a))
		}
		if slices.Contains(c.Algorithms[:i], a) {
			errs = append(errs, fmt.Errorf("%v: twice", a))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("CHAP: %w", err)
	}
	return nil
}

// Warnings tells what is allowed but weak, for the log: secrets shorter than MinSecretLen, and how
// many bytes they have.
func (c *CHAP) Warnings() []string {
	var w []string
	for _, s := range []struct {
		whose  string
		secret Secret
	}{{"the initiator's", c.Secret}, {"the target's", c.TargetSecret}} {
		if n := len(s.secret.Bytes()); n > 0 && n < MinSecretLen {
			w = append(w, fmt.Sprintf("CHAP: %s secret has %d bytes, less than %d can be guessed (RFC 7143 9.2.1)", s.whose, n, MinSecretLen))
		}
	}
	return w
}

// offer returns the algorithms to offer.
func (c *CHAP) offer() []Algorithm {
	if c.Algorithms == nil {
		return Algorithms()
	}
	return c.Algorithms
}

// hasMore reports whether MD5 alone is allowed, and less than what is offered.
func (c *CHAP) hasMore() bool {
	offer := c.offer()
	return len(offer) > 1 && slices.Contains(offer, MD5)
}

// checkUser verifies a CHAP name as a text value (RFC 7143 6.1).
func checkUser(what, name string, mayBeEmpty bool) error {
	switch {
	case name == "" && !mayBeEmpty:
		return fmt.Errorf("no %s", what)
	case len(name) > maxValueLen:
		return fmt.Errorf("%s of %d bytes, limit %d", what, len(name), maxValueLen)
	case slices.Contains([]byte(name), 0):
		return fmt.Errorf("%s with a byte 0x00", what)
	}
	return nil
}
