package bootspec

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// CredentialsPath is the file of the image that holds CHAP secrets. Only root may read it.
const CredentialsPath = "/etc/iscsiroot/credentials"

// MaxCredentials is how long that file may be in bytes.
const MaxCredentials = 64 << 10

// Credential is one line of the file: the CHAP user and secret of this machine for one target, and
// those of the target if TargetSecret is not empty.
type Credential struct {
	Line         int
	Target       string // iSCSI name
	User         string
	Secret       iscsi.Secret
	TargetUser   string // may be empty: any name is accepted
	TargetSecret iscsi.Secret
}

// CredentialsError is a line that cannot be parsed. It does not contain the line, which may be a
// secret in a wrong place.
type CredentialsError struct {
	Line  int
	Cause string
	Write string // what to write instead
}

// Error implements error.
func (e *CredentialsError) Error() string {
	return fmt.Sprintf("%s line %d: %s: write %s", CredentialsPath, e.Line, e.Cause, e.Write)
}

// credentialForm is a whole line.
const credentialForm = "TARGET-NAME USER SECRET [TARGET-USER TARGET-SECRET]"

// ParseCredentials reads the file: one line for each target,
//
//	TARGET-NAME USER SECRET [TARGET-USER TARGET-SECRET]
//
// with blanks or tabs between the fields. A field with a blank, or one that is empty, stands in
// double quotes, in which \" and \\ are a quote and a backslash. An empty TARGET-USER accepts any.
// Secrets are text, or bytes in hex behind 0x or in base64 behind 0b. Empty lines and those that
// begin with # are ignored. There is one line for each target, and no line applies to all targets:
// a secret is used with one target only.
//
// It keeps no part of text, which the caller can wipe.
func ParseCredentials(text []byte) ([]Credential, error) {
	return parseCredentials(text, isTargetName)
}

// parseCredentials reads the file; isOwner reports whether a word is allowed as the target's name.
func parseCredentials(text []byte, isOwner func(string) bool) ([]Credential, error) {
	if len(text) > MaxCredentials {
		return nil, &CredentialsError{1, fmt.Sprintf("the file has more than %d bytes", MaxCredentials), "one line for each target"}
	}
	var out []Credential
	lines := map[string]int{} // by target's name
	for i, line := range bytes.Split(text, []byte("\n")) {
		fields, cause := splitFields(bytes.TrimSuffix(line, []byte("\r")))
		if cause == "" && len(fields) == 0 {
			continue
		}
		c, err := parseCredential(fields, cause, isOwner)
		wipe(fields)
		if err == nil {
			name := strings.ToLower(c.Target)
			if lines[name] != 0 {
				err = &CredentialsError{0, fmt.Sprintf("the target is that of line %d", lines[name]), "one line for each target"}
			}
			lines[name] = i + 1
		}
		c.Line = i + 1
		out = append(out, c)
		if err != nil {
			err.Line = i + 1
			Plan{Credentials: out}.Forget()
			return nil, err
		}
	}
	return out, nil
}

// parseCredential reads the fields of a line.
func parseCredential(fields [][]byte, cause string, isOwner func(string) bool) (Credential, *CredentialsError) {
	fail := func(cause, write string) (Credential, *CredentialsError) {
		return Credential{}, &CredentialsError{0, cause, write}
	}
	switch {
	case cause != "":
		return fail(cause, credentialForm)
	case len(fields) != 3 && len(fields) != 5:
		return fail(fmt.Sprintf("%d fields", len(fields)), credentialForm)
	case !isOwner(string(fields[0])):
		return fail("the first field is not a target name", "a name such as iqn.2007-01.com.example:storage.remote1")
	case len(fields[1]) == 0 || len(fields[1]) > maxCHAPName:
		return fail("the second field is not a user", "a name of 1 to 255 bytes")
	}
	c := Credential{Target: string(fields[0]), User: string(fields[1])}
	var err error
	if c.Secret, err = iscsi.ParseSecret(string(fields[2])); err != nil {
		return fail("the third field is not a secret", secretForm)
	}
	if len(fields) == 3 {
		return c, nil
	}
	c.TargetUser = string(fields[3])
	if len(c.TargetUser) > maxCHAPName {
		c.Secret.Wipe()
		return fail("the fourth field is not a user", "a name of up to 255 bytes")
	}
	if c.TargetSecret, err = iscsi.ParseSecret(string(fields[4])); err != nil {
		c.Secret.Wipe()
		return fail("the fifth field is not a secret", secretForm)
	}
	return c, nil
}

const secretForm = "1 to 255 bytes as text, 0x and hex, or 0b and base64"

// isTargetName is stricter than the command line: a wildcard or a user in the place of the name is
// not accepted.
func isTargetName(s string) bool {
	typed := strings.HasPrefix(s, "iqn.") || strings.HasPrefix(s, "eui.") || strings.HasPrefix(s, "naa.")
	return typed && len(s) <= maxName && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f })
}

// splitFields splits a line into fields. cause describes what is wrong with it.
func splitFields(line []byte) (fields [][]byte, cause string) {
	for {
		line = bytes.TrimLeft(line, " \t")
		if len(line) == 0 || len(fields) == 0 && line[0] == '#' {
			return fields, ""
		}
		var field []byte
		var ok bool
		if line[0] == '"' {
			field, line, ok = cutQuoted(line[1:])
		} else {
			field, line, ok = cutPlain(line)
		}
		fields = append(fields, field)
		if !ok {
			return fields, "a quote does not end, or is not at a field's beginning and end"
		}
		if bytes.ContainsFunc(field, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return fields, "a control character"
		}
	}
}

// cutPlain cuts a field without quotes from the front.
func cutPlain(line []byte) (field, rest []byte, ok bool) {
	end := bytes.IndexAny(line, " \t")
	if end < 0 {
		end = len(line)
	}
	field = bytes.Clone(line[:end])
	return field, line[end:], !bytes.ContainsRune(field, '"')
}

// cutQuoted cuts a field that begins after its opening quote.
func cutQuoted(line []byte) (field, rest []byte, ok bool) {
	field = make([]byte, 0, len(line)) // never grows, so that no copy is left
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '"':
			rest = line[i+1:]
			return field, rest, len(rest) == 0 || rest[0] == ' ' || rest[0] == '\t'
		case c == '\\' && i+1 < len(line) && (line[i+1] == '"' || line[i+1] == '\\'):
			i++
			field = append(field, line[i])
		default:
			field = append(field, c)
		}
	}
	return field, nil, false
}

// wipe overwrites the fields of a line.
func wipe(fields [][]byte) {
	for _, f := range fields {
		clear(f[:cap(f)])
	}
}

// chap returns the line as values of the form that the command line has.
func (c Credential) chap() CHAP {
	from := fmt.Sprintf("%s line %d", CredentialsPath, c.Line)
	out := CHAP{User: Value[string]{c.User, from}, Secret: Value[iscsi.Secret]{c.Secret, from}}
	if !c.TargetSecret.Empty() {
		out.TargetSecret = Value[iscsi.Secret]{c.TargetSecret, from}
		out.TargetUser = Value[string]{c.TargetUser, from}
	}
	return out
}
