// Package crypt checks passwords against hashes in the form of crypt(3)'s SHA-512, "$6$SALT$HASH",
// which mkpasswd and openssl passwd -6 write.
//
// It follows "Unix crypt using SHA-256 and SHA-512" by Ulrich Drepper, version 0.6 of 2016; the
// step numbers are those of that text.
package crypt

import (
	"crypto/sha512"
	"crypto/subtle"
	"errors"
	"strconv"
	"strings"
)

// ErrFormat reports that a text is not a hash of this form.
var ErrFormat = errors.New("not a SHA-512 hash as written by mkpasswd -m sha-512 or openssl passwd -6 ($6$...)")

// The limits of the specification, but for maxRounds: it is 999999999 there, which takes a quarter
// of an hour.
const (
	defaultRounds = 5000
	minRounds     = 1000
	maxRounds     = 5_000_000
	maxSalt       = 16
	hashLength    = 86 // characters
)

const roundsPrefix = "rounds="

// Hash is a hash that was parsed. It must not be logged, because it permits a search for the
// password offline, so it is behind two pointers: package fmt prints an address. It follows one of
// them for a verb that does not fit.
type Hash struct{ *pointer }

type pointer struct{ *parts }

type parts struct {
	rounds int
	salt   string
	sum    string // as it is written
}

// Parse reads a hash. Its error is ErrFormat.
func Parse(text string) (Hash, error) {
	rest, ok := strings.CutPrefix(text, "$6$")
	if !ok {
		return Hash{}, ErrFormat
	}
	h := Hash{&pointer{&parts{rounds: defaultRounds}}}
	if given, ok := strings.CutPrefix(rest, roundsPrefix); ok {
		number, after, _ := strings.Cut(given, "$")
		n, err := strconv.ParseUint(number, 10, 32)
		if err != nil || n > maxRounds {
			return Hash{}, ErrFormat
		}
		h.rounds, rest = max(int(n), minRounds), after
	}
	h.salt, h.sum, ok = strings.Cut(rest, "$")
	if !ok || len(h.salt) > maxSalt || len(h.sum) != hashLength || strings.Trim(h.sum, alphabet) != "" {
		return Hash{}, ErrFormat
	}
	return h, nil
}

// Matches reports whether a password has this hash, in constant time. The zero Hash matches
// nothing.
func (h Hash) Matches(password string) bool {
	return h.pointer != nil && subtle.ConstantTimeCompare([]byte(sum(password, h.salt, h.rounds)), []byte(h.sum)) == 1
}

// sum computes the hash as it is written.
func sum(password, salt string, rounds int) string {
	key := []byte(password)
	b := digest(password, salt, password) // steps 4 to 8
	text := []byte(password + salt)       // steps 1 to 3
	text = append(text, repeat(b, len(key))...)
	for n := len(key); n > 0; n >>= 1 { // step 11
		if n&1 != 0 {
			text = append(text, b...)
		} else {
			text = append(text, key...)
		}
	}
	a := digest(string(text))
	p := repeat(digest(strings.Repeat(password, len(key))), len(key))  // steps 13 to 16
	s := repeat(digest(strings.Repeat(salt, 16+int(a[0]))), len(salt)) // steps 17 to 20
	for i := range rounds {                                            // step 21
		text = text[:0]
		text = append(text, either(i&1 != 0, p, a)...)
		if i%3 != 0 {
			text = append(text, s...)
		}
		if i%7 != 0 {
			text = append(text, p...)
		}
		text = append(text, either(i&1 != 0, a, p)...)
		a = digest(string(text))
	}
	return encode(a)
}

func either(first bool, a, b []byte) []byte {
	if first {
		return a
	}
	return b
}

func digest(parts ...string) []byte {
	d := sha512.Sum512([]byte(strings.Join(parts, "")))
	return d[:]
}

// repeat makes n bytes of b.
func repeat(b []byte, n int) []byte {
	out := make([]byte, 0, n+len(b))
	for len(out) < n {
		out = append(out, b...)
	}
	return out[:n]
}

// alphabet is crypt(3)'s base 64.
const alphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// encode writes a digest, step 22: bytes 0, 21 and 42 first, then each number by 22 further, modulo
// 63, and byte 63 alone at the end.
func encode(a []byte) string {
	var out []byte
	group := func(b2, b1, b0 byte, n int) {
		for w := uint32(b2)<<16 | uint32(b1)<<8 | uint32(b0); n > 0; n-- {
			out = append(out, alphabet[w&63])
			w >>= 6
		}
	}
	for i, j, k, left := 0, 21, 42, 21; left > 0; left-- {
		group(a[i], a[j], a[k], 4)
		i, j, k = (i+22)%63, (j+22)%63, (k+22)%63
	}
	group(0, 0, a[63], 2)
	return string(out)
}
