package bootspec

import (
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// Secret reports whether the value of a parameter must not be shown: that of a secret, or one that
// contains a user and a secret.
func (v *Vocabulary) Secret(p cmdline.Param) bool {
	if v.secretKey(p.Key) {
		return true
	}
	row, _, ok := v.find(p.Key)
	text := strings.TrimPrefix(p.Value, "iscsi:")
	switch {
	case !ok, (row.Key == "iscsi_i" || row.Key == "iscsi_t") && hasNameType(p.Value):
		return containsSecret(p.Value)
	case row.Key == "iscsiroot":
		return !hasNoUser(text) && showNetRoot(text) != text
	case row.Key == "netroot", row.Key == "root":
		return !hasNoUser(text) && Redact(p.Value) != p.Value
	}
	return Redact(p.Value) != p.Value
}

// secretKey reports whether no value of a parameter may be shown: secrets, values of mistyped names
// of secrets, and other programs' secrets.
func (v *Vocabulary) secretKey(key string) bool {
	name, _, _ := strings.Cut(key, ":")
	if row, _, ok := v.find(name); ok {
		return isSecret(row)
	}
	lower := strings.ToLower(key)
	return v.secretEnd(key) < len(key) || hasReservedPrefix(key) && (strings.Contains(lower, "pass") || strings.Contains(lower, "secret")) || key == "cifspass" ||
		slices.ContainsFunc(v.misspelled(key), func(name string) bool {
			row, _, _ := v.find(name)
			return isSecret(row)
		})
}

func isSecret(row Parameter) bool { return row.Key == "iscsi_w" || row.Key == "iscsi_W" }

// ShowKey returns the part of a key that messages may repeat: up to the first character that no
// parameter's name has, and up to the end of a secret's name, because a secret may follow if the =
// is missing.
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

// secretEnd returns the end of a secret's name if something follows that may be the secret. A long
// name may be mistyped.
func (v *Vocabulary) secretEnd(key string) int {
	const long = 12 // bytes: shorter names are too similar to others
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

// source is the function of that name for a word that is not a parameter.
func (ps *parser) source(p cmdline.Param) string {
	p.Key = ps.known.ShowKey(p.Key)
	return source(p)
}

// awaitsSecret reports whether the word after p may be the secret of p: after a secret's parameter
// without a value, also under a mistyped name, and after a separate = or : that follows it.
func (ps *parser) awaitsSecret(row Parameter, known bool, p cmdline.Param) bool {
	switch {
	case p.Value != "":
		return false
	case known:
		return isSecret(row)
	}
	return ps.bareSecret && strings.Trim(p.Key, "=:") == "" || hasReservedPrefix(p.Key) && ps.known.secretKey(strings.TrimRight(p.Key, ":"))
}
