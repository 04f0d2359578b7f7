package bootspec

import (
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// Secret tells whether the parameter has a value that must not be shown: that of a
// secret, or one with a user and a secret in it, wherever they stand.
func (v *Vocabulary) Secret(p cmdline.Param) bool {
	if v.secretKey(p.Key) {
		return true
	}
	row, _, ok := v.find(p.Key)
	if !ok || slices.Contains([]string{"iscsi_i", "iscsi_t"}, row.Key) && hasNameType(p.Value) {
		return false
	}
	return iscsi.Redact(p.Value) != p.Value && !(slices.Contains([]string{"netroot", "iscsiroot", "root"}, row.Key) && holdsNoUser(p.Value))
}

// holdsNoUser tells that a text is one of netroot= without a user and a secret: what
// it has of @ is in the target's name, or ends an empty user. What cannot be read may
// hold a secret.
func holdsNoUser(s string) bool {
	text := strings.TrimPrefix(s, "iscsi:")
	r, cause := ParseNetRoot(text)
	return cause == "" && !strings.Contains(strings.TrimPrefix(strings.TrimSuffix(text, r.Name), "@"), "@")
}

// secretKey tells whether the values of a parameter must not be shown: those of
// secrets, of what may be one under a mistyped name, and of other programs'.
func (v *Vocabulary) secretKey(key string) bool {
	name, _, _ := strings.Cut(key, ":")
	if row, _, ok := v.find(name); ok {
		return isSecret(row)
	}
	lower := strings.ToLower(key)
	return looksOurs(key) && (strings.Contains(lower, "pass") || strings.Contains(lower, "secret")) || key == "cifspass" ||
		slices.ContainsFunc(v.misspelled(key), func(name string) bool {
			row, _, _ := v.find(name)
			return isSecret(row)
		})
}

func isSecret(row Parameter) bool { return row.Key == "iscsi_w" || row.Key == "iscsi_W" }

// ShowKey returns a key as messages may repeat it: up to what is in no parameter's
// name, and up to the end of a secret's name with much behind it, because a secret
// may follow where the = is missing.
func (v *Vocabulary) ShowKey(key string) string {
	end := len(key)
	if i := strings.IndexFunc(key, func(c rune) bool {
		return !strings.ContainsRune("_-./", c) && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z')
	}); i >= 0 {
		end = i
		if key[i] == ':' {
			end++
		}
	}
	if len(v.misspelled(key)) == 0 {
		end = v.secretEnd(key[:end])
	}
	if end < len(key) {
		return clip(key[:end]) + iscsi.Secret{}.String()
	}
	return clip(key)
}

// secretEnd returns where a secret's name ends that has something behind it that
// may be the secret.
func (v *Vocabulary) secretEnd(key string) int {
	const long, much = 8, 4 // bytes: iscsi_w begins other names too
	end := len(key)
	for _, s := range v.names {
		rest, ok := strings.CutPrefix(key, s.name)
		if ok && len(rest) > 0 && isSecret(v.rows[s.name]) && (strings.ContainsRune("-/", rune(rest[0])) || len(s.name) >= long && len(rest) >= much) {
			end = min(end, len(s.name))
		}
	}
	return end
}

// source is the function of that name for a word that is no parameter.
func (ps *parser) source(p cmdline.Param) string {
	p.Key = ps.known.ShowKey(p.Key)
	return source(p)
}
