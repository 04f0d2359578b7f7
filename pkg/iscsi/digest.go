package iscsi

import "fmt"

// DigestPolicy is what to ask for as header or data digest (RFC 7143 13.1).
type DigestPolicy uint8

// The policies. The TCP checksum and the network's own catch most of what a
// digest does, and a digest costs time, so that None is the zero value.
const (
	// NoDigest offers None only.
	NoDigest DigestPolicy = iota
	// PreferDigest offers CRC32C, then None.
	PreferDigest
	// RequireDigest offers CRC32C only and goes on with nothing else.
	RequireDigest
)

// digestCRC32C is the one digest of RFC 7143 13.1.
const digestCRC32C = "CRC32C"

// list returns the value of the key, "" if the policy is none of the three.
func (d DigestPolicy) list() string {
	switch d {
	case NoDigest:
		return valueNone
	case PreferDigest:
		return digestCRC32C + "," + valueNone
	case RequireDigest:
		return digestCRC32C
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
