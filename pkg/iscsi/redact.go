package iscsi

import (
	"slices"
	"strings"
)

// schemes are what may stand before a user and a secret and is no part of them.
var schemes = []string{"iscsi:", "nbd:", "nfs:", "nfs4:", "cifs:", "fcoe:", "http:", "https:", "ftp:", "tftp:"}

// secretWords are in the names of settings that hold secrets.
var secretWords = []string{"pass", "pwd", "secret"}

// Redact returns a text as messages may repeat it: without a user and a secret before an @, as in
// dracut's netroot= and in URIs (RFC 3986 section 3.2.1), and without what follows NAME= where NAME
// is that of a password. It is for texts in which no secret belongs.
func Redact(s string) string {
	if at := strings.LastIndexByte(s, '@'); at >= 0 {
		s = scheme(s[:at]) + redacted + s[at:]
	}
	begin := 0
	for i := range len(s) {
		switch s[i] {
		case ',', ':', ';', ' ', '&', '?':
			begin = i + 1
		case '=':
			if isSecretName(s[begin:i]) {
				return s[:i+1] + redacted
			}
		}
	}
	return s
}

// isSecretName tells whether a setting of that name holds a secret.
func isSecretName(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc(secretWords, func(word string) bool { return strings.Contains(name, word) })
}

// scheme returns what of a text may stand before its user.
func scheme(s string) string {
	for _, one := range schemes {
		if len(s) >= len(one) && strings.EqualFold(s[:len(one)], one) {
			return s[:len(one)]
		}
	}
	return ""
}
