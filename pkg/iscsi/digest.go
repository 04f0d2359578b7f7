package iscsi

import (
	"errors"
	"fmt"
	"io"
)

// DigestPolicy is what to offer as header or data digest (RFC 7143 13.1).
type DigestPolicy uint8

// The policies. The TCP checksum and the network's own catch most of what a digest does, and a
// digest costs time, so that None is the zero value.
const (
	// NoDigest offers None only.
	NoDigest DigestPolicy = iota
	// PreferDigest offers CRC32C, then None.
	PreferDigest
	// RequireDigest offers CRC32C only; the login fails without it.
	RequireDigest
	// AcceptDigest offers None, then CRC32C, for a target that requires it: of a list the
	// target chooses the first that it supports (6.2.1).
	AcceptDigest
)

// List reports whether more than one is offered.
func (d DigestPolicy) List() bool { return d == PreferDigest || d == AcceptDigest }

// digestCRC32C is the one digest of RFC 7143 13.1.
const digestCRC32C = "CRC32C"

// list returns the value of the key, "" if the policy is none of these.
func (d DigestPolicy) list() string {
	switch d {
	case NoDigest:
		return valueNone
	case PreferDigest:
		return digestCRC32C + "," + valueNone
	case RequireDigest:
		return digestCRC32C
	case AcceptDigest:
		return valueNone + "," + digestCRC32C
	}
	return ""
}

// String returns what the policy offers, as on the wire.
func (d DigestPolicy) String() string {
	if s := d.list(); s != "" {
		return s
	}
	return fmt.Sprintf("digest policy %d", uint8(d))
}

// DigestError is a login that failed, or may have failed, because of digests: the target's answer
// does not match the offer, or in the operational stage it rejected the request in general (0200,
// 020b, Reject, the end of the connection). Where a list was offered, the caller may connect again
// and offer None alone.
type DigestError struct {
	// Header and Data are what was offered.
	Header, Data DigestPolicy
	// Key is the one that the target's answer is about; "" if unknown.
	Key string
	Err error
}

func (e *DigestError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *DigestError) Unwrap() error { return e.Err }

// sectionDigest of RFC 7143 is that of HeaderDigest and DataDigest.
const sectionDigest = "13.1"

// digestError returns an error about a key, which is a *DigestError if the key is one of the two.
func (o Offer) digestError(k *key, err error) error {
	if k.section != sectionDigest {
		return err
	}
	return &DigestError{Header: o.HeaderDigest, Data: o.DataDigest, Key: k.name, Err: err}
}

// wrapDigestError wraps an error of the operational stage that digests may have caused.
func (o Offer) wrapDigestError(err error) error {
	var known *DigestError
	var status *StatusError
	var broke *ProtocolError
	switch {
	case errors.As(err, &known):
		return err
	case errors.As(err, &status):
		if !status.unspecific() {
			return err
		}
	case errors.As(err, &broke):
		if broke.Section != sectionReject {
			return err
		}
	case !errors.Is(err, io.EOF):
		return err
	}
	return &DigestError{Header: o.HeaderDigest, Data: o.DataDigest, Err: err}
}
