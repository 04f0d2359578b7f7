package bootspec

import (
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// Secret tells whether the parameter has a value that must not be shown: that of a secret, or one
// with a user and a secret in it, wherever they stand.
func (v *Vocabulary) Secret(p cmdline.Param) bool {
	if v.secretKey(p.Key) {
		return true
	}
	row, _, ok := v.find(p.Key)
	text := strings.TrimPrefix(p.Value, "iscsi:")
	switch {
	case !ok, (row.Key == "iscsi_i" || row.Key == "iscsi_t") && hasNameType(p.Value):
		return givesSecret(p.Value)
	case row.Key == "iscsiroot":
		return !holdsNoUser(text) && showNetRoot(text) != text
	case row.Key == "netroot", row.Key == "root":
		return !holdsNoUser(text) && Redact(p.Value) != p.Value
	}
	return Redact(p.Value) != p.Value
}

// secretKey tells whether the values of a parameter must not be shown: those of secrets, of what
// may be one under a mistyped name, and of other programs'.
func (v *Vocabulary) secretKey(key string) bool {
	name, _, _ := strings.Cut(key, ":")
	if row, _, ok := v.find(name); ok {
		return isSecret(row)
	}
	lower := strings.ToLower(key)
	return v.secretEnd(key) < len(key) || looksOurs(key) && (strings.Contains(lower, "pass") || strings.Contains(lower, "secret")) || key == "cifspass" ||
		slices.ContainsFunc(v.misspelled(key), func(name string) bool {
			row, _, _ := v.find(name)
			return isSecret(row)
		})
}

func isSecret(row Parameter) bool { return row.Key == "iscsi_w" || row.Key == "iscsi_W" }

// ShowKey returns a key as messages may repeat it: up to what is in no parameter's name, and up to
// the end of a secret's name with more behind it, because a secret may follow where the = is
// missing.
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
	if len(v.misspelled(key)) == 0 || len(number(key)) > len(".9") {
		if name := strings.TrimSuffix(key[:end], ":"); v.secretEnd(name) < len(name) {
			end = v.secretEnd(name)
		}
	}
	if end < len(key) {
		return clip(key[:end]) + redacted
	}
	return clip(key)
}

// secretEnd returns where a secret's name ends that has something behind it that may be the secret.
// A long name may be mistyped.
func (v *Vocabulary) secretEnd(key string) int {
	const long = 12 // bytes: what is near a shorter name is near others too
	end := len(key)
	lower := strings.ToLower(key)
	near := func(s, name string) bool {
		return len(s) >= long && distance(s, name, maxMisspelled+1) <= maxMisspelled
	}
	if slices.ContainsFunc(v.secrets, func(name string) bool { return lower == name || near(lower, name) }) {
		return end
	}
	for _, name := range v.secrets {
		if len(lower) > len(name) && strings.HasPrefix(lower, name) {
			end = min(end, len(name))
			continue
		}
		for n := max(0, len(name)-maxMisspelled); n < min(len(lower), len(name)+maxMisspelled+1); n++ {
			if near(lower[:n], name) {
				end = min(end, n)
			}
		}
	}
	return end
}

// source is the function of that name for a word that is no parameter.
func (ps *parser) source(p cmdline.Param) string {
	p.Key = ps.known.ShowKey(p.Key)
	return source(p)
}

// awaitsSecret tells whether the word behind p may be the secret of p: after a secret's parameter
// without a value, under a name that may be mistyped, and after a = or : that stands alone then.
func (ps *parser) awaitsSecret(row Parameter, known bool, p cmdline.Param) bool {
	switch {
	case p.Value != "":
		return false
	case known:
		return isSecret(row)
	}
	return ps.bareSecret && strings.Trim(p.Key, "=:") == "" || looksOurs(p.Key) && ps.known.secretKey(strings.TrimRight(p.Key, ":"))
}
