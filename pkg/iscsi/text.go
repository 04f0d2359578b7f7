package iscsi

import "strings"

// Limits of text (RFC 7143 6.1). The RFC requires at least 8192 bytes of text per sequence; the
// limits other than maxKeyLen and maxValueLen are not from the RFC.
const (
	maxKeyLen   = 63
	maxValueLen = 255
	maxTextLen  = 64 << 10
	maxTextPDUs = 32
	maxPairs    = 512
)

// Values with a special meaning in an answer (RFC 7143 6.2).
const (
	valueYes           = "Yes"
	valueNo            = "No"
	valueNone          = "None"
	valueReject        = "Reject"
	valueIrrelevant    = "Irrelevant"
	valueNotUnderstood = "NotUnderstood"
)

// Pair is one key=value of a text (RFC 7143 6.1).
type Pair struct{ Key, Value string }

// ParseText splits a complete text into its pairs, in order. Everything after the first equals sign
// is the value. A text of more than 64 KiB or 512 pairs, a pair without its final NUL, a bad key:
// each is a *ProtocolError.
func ParseText(text []byte) ([]Pair, error) { return parseText(text, maxTextLen, maxPairs) }

func parseText(text []byte, maxLen, maxPairs int) ([]Pair, error) {
	if len(text) > maxLen {
		return nil, protocolErrorf("6.1", "text of %d bytes, limit %d", len(text), maxLen)
	}
	var pairs []Pair
	for rest := string(text); rest != ""; {
		item, after, ended := strings.Cut(rest, "\x00")
		if !ended {
			return nil, protocolErrorf("6.1", "text without its final NUL: %s", quoteKey(item))
		}
		key, value, ok := strings.Cut(item, "=")
		if !ok {
			return nil, protocolErrorf("6.1", "text without an equals sign: %s", quote(item))
		}
		if !validKey(key) {
			return nil, protocolErrorf("6.1", "bad key name %s", quote(key))
		}
		if len(pairs) == maxPairs {
			return nil, protocolErrorf("6.1", "text of more than %d pairs", maxPairs)
		}
		pairs = append(pairs, Pair{key, value})
		rest = after
	}
	return pairs, nil
}

// AppendText appends the wire form of pairs to b.
func AppendText(b []byte, pairs []Pair) []byte {
	for _, p := range pairs {
		b = append(b, p.Key...)
		b = append(b, '=')
		b = append(b, p.Value...)
		b = append(b, 0)
	}
	return b
}

// validKey reports whether s is a key name: a capital letter, then letters, digits and a few signs
// (RFC 7143 6.1). The # occurs in public extension keys such as X#NodeArchitecture (13.26); one key
// of the RFC has a lower-case first letter against its own rule (13.24).
func validKey(s string) bool {
	if s == "iSCSIProtocolLevel" {
		return true
	}
	if s == "" || len(s) > maxKeyLen || s[0] < 'A' || s[0] > 'Z' {
		return false
	}
	for _, c := range []byte(s) {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		digit := '0' <= c && c <= '9'
		if !letter && !digit && !strings.ContainsRune("-.+@_#", rune(c)) {
			return false
		}
	}
	return true
}

// quoteKey quotes the key of a pair without its value, which may be a CHAP response.
func quoteKey(item string) string {
	key, _, isPair := strings.Cut(item, "=")
	if isPair {
		return quote(key) + "=..."
	}
	return quote(item)
}
