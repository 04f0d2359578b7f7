package bootspec

import (
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// Secret tells whether the parameter has a value that must not be shown.
func (v *Vocabulary) Secret(p cmdline.Param) bool {
	row, _, ok := v.find(p.Key)
	hides := slices.Contains([]string{"netroot", "root", "iscsiroot"}, row.Key) && hideCredentials(p.Value) != p.Value
	return v.secretKey(p.Key) || ok && hides && !strings.Contains(p.Value, ":@")
}

// secretKey tells whether the values of a parameter must not be shown: those of
// secrets, of what may be one under a mistyped name, and of other programs'.
func (v *Vocabulary) secretKey(key string) bool {
	if row, _, ok := v.find(key); ok {
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
