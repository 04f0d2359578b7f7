package iscsi

import (
	"slices"
	"strings"
)

// schemes may precede a user and a secret.
var schemes = []string{"iscsi:", "nbd:", "nfs:", "nfs4:", "cifs:", "fcoe:", "http:", "https:", "ftp:", "tftp:"}

// secretWords are parts of the names of settings that contain secrets.
var secretWords = []string{"pass", "pwd", "secret"}

// Redact returns a text for a message: without a user and a secret before an @, as in dracut's
// netroot= and in URIs (RFC 3986 section 3.2.1), and without the value of NAME= where NAME is that
// of a password. It is for texts that should not contain a secret.
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

// isSecretName reports whether a setting of that name contains a secret.
func isSecretName(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc(secretWords, func(word string) bool { return strings.Contains(name, word) })
}

// scheme returns the part of a text that may precede its user.
func scheme(s string) string {
	for _, one := range schemes {
		if len(s) >= len(one) && strings.EqualFold(s[:len(one)], one) {
			return s[:len(one)]
		}
	}
	return ""
}
