package bootspec

import (
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// Redact returns a text of the user's as messages may repeat it. Every word of a command line and
// every value of a plan goes through it before it is printed. Hidden are: what is behind the name
// of a secret's parameter, a user and a secret before an @, what is behind NAME= of a password, and
// what may be a user and a secret in dracut's form of a target.
//
// A secret that stands alone, with none of these beside it, looks as any other word does.
func Redact(s string) string { return iscsi.Redact(redactNetRoot(redactNamed(s))) }

// redactName is Redact for iSCSI names, which may hold an @ (RFC 7143 section 4.2.7).
func redactName(s string) string {
	if !hasNameType(s) {
		return Redact(s)
	}
	if end := secretBegins(s, true); end >= 0 {
		s = s[:end] + redacted
	}
	return s
}

// redacted stands for a secret.
const redacted = "[redacted]"

// redactNamed hides what is behind the name of a secret's parameter.
func redactNamed(s string) string {
	if end := secretBegins(s, false); end >= 0 {
		s = s[:end] + redacted
	}
	return s
}

// givesSecret tells whether a value has a secret's parameter in it: a word in the wrong place.
func givesSecret(s string) bool { return secretBegins(s, true) >= 0 }

// secretBegins returns where in a text a secret begins: behind the name of a secret's parameter, in
// letters of any case. It is -1 if there is none. Sure is only a name with a separator behind it;
// else a long name ends anywhere, and a short one at what is no letter, or anywhere behind a blank.
func secretBegins(s string, sure bool) int {
	const short = "iscsi_w"
	lower := lowerCase(s)
	if !strings.Contains(lower, "iscsi") { // is in all of these names
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
				end += 2 // that of a further target
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

// isSeparator tells what is written between a name and its value, rightly or with quotes missing.
func isSeparator(c byte) bool { return strings.IndexByte("=: \t\"'", c) >= 0 }

// beginsWord tells whether no name goes on at s[i].
func beginsWord(s string, i int) bool { return i == 0 || !isNameByte(s[i-1]) || afterBlank(s, i) }

// afterBlank tells whether a blank or a quote is in front of s[i], which may be written as udev and
// Device.String do in a label: \x20.
func afterBlank(s string, i int) bool {
	return i > 0 && strings.IndexByte(" \t\"'", s[i-1]) >= 0 || i >= 4 && s[i-4:i-2] == `\x`
}

// lowerCase is strings.ToLower for ASCII: the places of all bytes stay what they are.
func lowerCase(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c | 0x20
		}
	}
	return string(b)
}

// isNameByte tells whether a byte goes on with the name of a parameter; a dot begins another part.
func isNameByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

// secretNames returns the names of the parameters whose values are secrets, in lower case. A test
// compares them with the table.
func secretNames() []string {
	return strings.Fields("iscsi_w rd.iscsiroot.secret rd.iscsi.password iscsi_password rd.iscsiroot.target_secret rd.iscsi.in.password iscsi_in_password iscsi_password_in")
}

// redactNetRoot hides what may be a user and a secret behind the first "iscsi:" of a text.
func redactNetRoot(s string) string {
	const scheme = "iscsi:"
	for i := range len(s) {
		if end := i + len(scheme); end < len(s) && strings.EqualFold(s[i:end], scheme) && beginsWord(s, i) && (i == 0 || s[i-1] != '.') {
			if holdsNoUser(s[end:]) {
				return s
			}
			return s[:end] + showNetRoot(s[end:])
		}
	}
	return s
}

// showNetRoot returns what is shown of a target in dracut's form, without "iscsi:", that cannot be
// read. Where the @ is missing, user and secret stand where host and protocol do: from the first
// field that is none, only addresses are shown, and the target's name.
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

// holdsNoUser tells that a text is one of netroot= without a user and a secret: what it has of @ is
// in the target's name, or ends an empty user. What cannot be read may hold a secret.
func holdsNoUser(s string) bool {
	r, cause := ParseNetRoot(s)
	return cause == "" && !strings.Contains(strings.TrimPrefix(strings.TrimSuffix(s, r.Name), "@"), "@")
}

// misplaced returns an error if the value of a parameter gives a secret that belongs into a word of
// its own. It would be shown as what the parameter is: a name, a label, a path.
func misplaced(row Parameter, p cmdline.Param) error {
	own := []string{"netroot", "iscsiroot", "rd.iscsi.param", "rd.shell.password"} // see to it themselves
	if isSecret(row) || slices.Contains(own, row.Key) || !givesSecret(p.Value) {
		return nil
	}
	return bad(p, "a secret has no place in this value", "it as a word of its own, iscsi_w=SECRET")
}
