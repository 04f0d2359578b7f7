package bootspec

import (
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// Redact returns a text with its secrets replaced, so that messages may repeat it. Every word of a
// command line and every value of a plan is redacted before it is printed. Replaced are: what
// follows the name of a secret's parameter, a user and a secret before an @, what follows NAME= of
// a password, and what may be a user and a secret in dracut's form of a target.
//
// A secret without any of these signs cannot be found.
func Redact(s string) string { return iscsi.Redact(redactNetRoot(redactNamed(s))) }

// redactName is Redact for iSCSI names, which may contain an @ (RFC 7143 section 4.2.7).
func redactName(s string) string {
	if !hasNameType(s) {
		return Redact(s)
	}
	if end := secretBegins(s, true); end >= 0 {
		s = s[:end] + redacted
	}
	return s
}

// redacted replaces a secret.
const redacted = "[redacted]"

// redactNamed replaces what follows the name of a secret's parameter.
func redactNamed(s string) string {
	if end := secretBegins(s, false); end >= 0 {
		s = s[:end] + redacted
	}
	return s
}

// containsSecret reports whether a value contains a secret's parameter, which belongs into its own
// word.
func containsSecret(s string) bool { return secretBegins(s, true) >= 0 }

// secretBegins returns the index at which a secret begins: after the name of a secret's parameter,
// in letters of any case. It is -1 if there is none. If sure is set, a separator must follow the
// name; else anything may follow a long name, and a short one must be followed by a byte that is
// not part of a name, or be preceded by a blank.
func secretBegins(s string, sure bool) int {
	const short = "iscsi_w"
	lower := lowerCase(s)
	if !strings.Contains(lower, "iscsi") { // all of the names contain it
		return -1
	}
	names := secretNames()
	for i := range len(s) {
		for _, name := range names {
			end := i + len(name)
			if !beginsWord(s, i) || !strings.HasPrefix(lower[i:], name) {
				continue
			}
			if end+2 < len(s) && s[end] == '.' && s[end+1] >= '1' && s[end+1] <= '0'+maxTargets && !isNameByte(s[end+2]) {
				end += 2 // the number of a target
			}
			if end+1 >= len(s) || sure && !isSeparator(s[end]) || isNameByte(s[end]) && len(name) == len(short) && !afterBlank(s, i) {
				continue
			}
			if s[end] == '=' || s[end] == ':' {
				end++
			}
			return end
		}
	}
	return -1
}

// isSeparator reports whether a byte can separate a name from its value, also if quotes are
// missing.
func isSeparator(c byte) bool { return strings.IndexByte("=: \t\"'", c) >= 0 }

// beginsWord reports whether s[i] begins a word.
func beginsWord(s string, i int) bool { return i == 0 || !isNameByte(s[i-1]) || afterBlank(s, i) }

// afterBlank reports whether a blank or a quote precedes s[i], which may be escaped as in udev's
// labels: \x20.
func afterBlank(s string, i int) bool {
	return i > 0 && strings.IndexByte(" \t\"'", s[i-1]) >= 0 || i >= 4 && s[i-4:i-2] == `\x`
}

// lowerCase is strings.ToLower for ASCII: the indexes of all bytes stay the same.
func lowerCase(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c | 0x20
		}
	}
	return string(b)
}

// isNameByte reports whether a byte continues a part of a parameter's name; a dot begins another
// part.
func isNameByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

// secretNames returns the names of the parameters whose values are secrets, in lower case. A test
// compares them with the table.
func secretNames() []string {
	return strings.Fields("iscsi_w rd.iscsiroot.secret rd.iscsi.password iscsi_password rd.iscsiroot.target_secret rd.iscsi.in.password iscsi_in_password iscsi_password_in")
}

// redactNetRoot replaces what may be a user and a secret after the first "iscsi:" of a text.
func redactNetRoot(s string) string {
	const scheme = "iscsi:"
	for i := range len(s) {
		if end := i + len(scheme); end < len(s) && strings.EqualFold(s[i:end], scheme) && beginsWord(s, i) && (i == 0 || s[i-1] != '.') {
			if hasNoUser(s[end:]) {
				return s
			}
			return s[:end] + showNetRoot(s[end:])
		}
	}
	return s
}

// showNetRoot returns what may be shown of a target in dracut's form, without "iscsi:", that cannot
// be parsed. If the @ is missing, user and secret are in the fields of host and protocol: from the
// first field that does not fit, only addresses and the target's name are shown.
func showNetRoot(s string) string {
	host, rest, ok := cutHost(iscsi.Redact(s))
	if !ok {
		return host
	}
	t := strings.Split(rest, ":")
	fits := true
	for i := 0; i < len(t) && !hasNameType(t[i]); i++ {
		number := len(t[i]) <= len("65535") && strings.Trim(t[i], "0123456789") == ""
		fits = fits && (i == 0 && isTCP(t[i]) || i > 0 && number)
		if !fits && t[i] != "" && !isAddress(t[i]) {
			t[i] = redacted
		}
	}
	return host + ":" + strings.Join(t, ":")
}

// hasNoUser reports whether a text is a value of netroot= without a user and a secret: an @ in it
// is in the target's name, or follows an empty user. A text that cannot be parsed may contain a
// secret.
func hasNoUser(s string) bool {
	r, cause := ParseNetRoot(s)
	return cause == "" && !strings.Contains(strings.TrimPrefix(strings.TrimSuffix(s, r.Name), "@"), "@")
}

// misplaced returns an error if the value of a parameter contains a secret, which belongs into its
// own word: it would be printed as a name, a label or a path.
func misplaced(row Parameter, p cmdline.Param) error {
	own := []string{"netroot", "iscsiroot", "rd.iscsi.param", "rd.shell.password"} // these redact their values
	if isSecret(row) || slices.Contains(own, row.Key) || !containsSecret(p.Value) {
		return nil
	}
	return bad(p, "the value contains a secret", "the secret as a separate parameter, iscsi_w=SECRET")
}
