package iscsi

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
)

// maxSecretLen bounds a secret in bytes. RFC 7143 9.2.1 asks for at least 16 bytes to be possible;
// this is the limit of a text value.
const maxSecretLen = 255

// redacted is printed in place of a Secret.
const redacted = "[redacted]"

// Secret is bytes that must not be shown: printing or marshalling it gives "[redacted]". Copies of
// a Secret share their bytes, so that Wipe reaches all of them. The zero Secret is empty.
type Secret struct {
	// Two pointers, because they also keep the bytes from fmt where a Secret sits in an
	// unexported field, whose methods fmt cannot call: it follows one of them for a verb that
	// does not fit.
	data *secretData
}

type secretData struct{ b *[]byte }

// NewSecret makes b a secret. It keeps b instead of a copy, so that Wipe leaves none behind: the
// caller must not use b any more.
func NewSecret(b []byte) Secret {
	if len(b) == 0 {
		return Secret{}
	}
	return Secret{&secretData{&b}}
}

// ParseSecret reads a secret as people write it: plain text, or bytes in hex after 0x or in base64
// after 0b. Text that begins so by chance has to be written in hex. An error never contains any
// part of s. The memory of s cannot be wiped.
func ParseSecret(s string) (Secret, error) {
	_, isHex := cutPrefixFold(s, "0x")
	_, isBase64 := cutPrefixFold(s, "0b")
	switch {
	case isHex || isBase64:
		b, err := DecodeBinary(s, maxSecretLen)
		if err != nil {
			return Secret{}, fmt.Errorf("secret: %w: a secret that begins with 0x or 0b is hex or base64", err)
		}
		return NewSecret(b), nil
	case s == "":
		return Secret{}, errors.New("secret: empty")
	case len(s) > maxSecretLen:
		return Secret{}, fmt.Errorf("secret: %d bytes, limit %d", len(s), maxSecretLen)
	}
	return NewSecret([]byte(s)), nil
}

// Bytes returns the secret itself, not a copy: nil after Wipe.
func (s Secret) Bytes() []byte {
	if s.data == nil {
		return nil
	}
	return *s.data.b
}

// Empty reports whether there are no bytes: the zero Secret, or one that was wiped.
func (s Secret) Empty() bool { return len(s.Bytes()) == 0 }

// Wipe overwrites the bytes of this secret and so of all its copies, which are empty then.
func (s Secret) Wipe() {
	if s.data != nil {
		clear(*s.data.b)
		*s.data.b = nil
	}
}

// Equal compares in a time that depends on the lengths only.
func (s Secret) Equal(t Secret) bool { return subtle.ConstantTimeCompare(s.Bytes(), t.Bytes()) == 1 }

// String returns "[redacted]", for an empty secret too.
func (s Secret) String() string { return redacted }

// GoString returns "[redacted]".
func (s Secret) GoString() string { return redacted }

// Format writes "[redacted]" whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText returns "[redacted]".
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
