package iscsi

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha3"
	"fmt"
	"hash"
	"strings"
)

// Algorithm is a hash of CHAP by its number on the wire (IANA, PPP Authentication Algorithms; RFC
// 7143 12.1.3).
type Algorithm uint8

// The algorithms that this package supports.
const (
	MD5      Algorithm = 5
	SHA1     Algorithm = 6
	SHA256   Algorithm = 7
	SHA3_256 Algorithm = 8
)

// algorithms are those of CHAP, strongest first.
var algorithms = [...]struct {
	number Algorithm
	name   string
	size   int // of a response, in bytes
	hash   func() hash.Hash
}{
	{SHA3_256, "SHA3-256", sha256.Size, func() hash.Hash { return sha3.New256() }},
	{SHA256, "SHA-256", sha256.Size, sha256.New},
	{SHA1, "SHA1", sha1.Size, sha1.New},
	{MD5, "MD5", md5.Size, md5.New},
}

// Algorithms returns all that CHAP may use, strongest first.
func Algorithms() []Algorithm {
	var all []Algorithm
	for _, a := range algorithms {
		all = append(all, a.number)
	}
	return all
}

// String returns the name of the algorithm, or its number.
func (a Algorithm) String() string {
	for _, k := range algorithms {
		if k.number == a {
			return k.name
		}
	}
	return fmt.Sprintf("algorithm %d", uint8(a))
}

// ParseAlgorithm reads a name in any case, with or without hyphens: MD5, SHA1, SHA-256, SHA3-256.
func ParseAlgorithm(s string) (Algorithm, error) {
	plain := func(s string) string { return strings.ToLower(strings.ReplaceAll(s, "-", "")) }
	for _, k := range algorithms {
		if plain(k.name) == plain(s) {
			return k.number, nil
		}
	}
	return 0, fmt.Errorf("CHAP algorithm %s: want MD5, SHA1, SHA-256 or SHA3-256", quote(s))
}

// known reports whether this package can compute a.
func (a Algorithm) known() bool { return a.size() > 0 }

// size returns the length of a response in bytes, 0 if a is not known.
func (a Algorithm) size() int {
	for _, k := range algorithms {
		if k.number == a {
			return k.size
		}
	}
	return 0
}

// response returns hash(id, secret, challenge) (RFC 1994 4.1), nil if a is not known.
func (a Algorithm) response(id byte, secret Secret, challenge []byte) []byte {
	for _, k := range algorithms {
		if k.number == a {
			h := k.hash()
			h.Write([]byte{id})
			h.Write(secret.Bytes())
			h.Write(challenge)
			sum := h.Sum(nil)
			wipeHash(h)
			return sum
		}
	}
	return nil
}

// wipeHash overwrites what a hash has buffered of a secret, and the stack that its last Sum used.
func wipeHash(h hash.Hash) {
	h.Reset()
	h.Write(make([]byte, h.BlockSize()-1))
	h.Sum(nil)
	h.Reset()
}
