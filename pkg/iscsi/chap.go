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

// CHAP authenticates the initiator to a target and, if Mutual, the target to the initiator (RFC
// 7143 12.1.3, RFC 1994). With a CHAP in the configuration nothing else is offered or accepted.
type CHAP struct {
	// User and Secret authenticate the initiator: 1 to 255 bytes each.
	User   string
	Secret Secret
	// TargetUser and TargetSecret authenticate the target. Both empty is one-way
	// authentication; an empty TargetUser with a secret accepts any name.
	TargetUser   string
	TargetSecret Secret
	// Algorithms are those to offer, strongest first; nil means all four. The target chooses,
	// so the weakest one must be acceptable.
	Algorithms []Algorithm
	// Random is the source of the challenges to a target; nil means crypto/rand. For tests.
	Random io.Reader
}

// Mutual reports whether the target has to authenticate itself too.
func (c *CHAP) Mutual() bool { return c.TargetUser != "" || !c.TargetSecret.Empty() }

// Check verifies the configuration; Login and Discover call it. Its errors never contain a secret.
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
			errs = append(errs, fmt.Errorf("%v: unknown", a))
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

// Warnings returns warnings for the log: secrets shorter than MinSecretLen, and how many bytes they
// have.
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

// hasStrongerThanMD5 reports whether MD5 is allowed, and not the only algorithm.
func (c *CHAP) hasStrongerThanMD5() bool {
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
