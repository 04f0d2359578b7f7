package glob

import (
	"strings"
	"testing"
)

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true},
		{"", "a", false},
		{"a", "", false},
		{"*", "", true},
		{"**", "abc", true},
		{"a*c", "abbbc", true},
		{"a*c", "abbbcd", false},
		{"a*b*c", "axbxbxc", true},
		{"a/b*", "a/b/c", true},
		{"a?c", "abc", true},
		{"a?c", "ac", false},
		{"d000[0-9]*", "d0007x", true},
		{"d000[0-9]*", "d000Ax", false},
		{"[!a-c]", "d", true},
		{"[!a-c]", "b", false},
		{"[^a]", "a", false},
		{"[]x]", "]", true},
		{"[a-]", "-", true},
		{"[a-]", "b", false},
		{"[ab", "[ab", true},
		{"[", "[", true},
		{"[!", "[!", true},
		{`\*`, "*", true},
		{`\*`, "a", false},
		{`a\`, `a\`, true},
		// A USB alias with device ranges, as in Debian's modules.alias.
		{"usb:v0D8EpD[0-9]d02[1-9]*dc*", "usb:v0D8EpD5d0213dc00", true},
	} {
		if got := Match(c.pattern, c.s); got != c.want {
			t.Errorf("Match(%q, %q) = %v", c.pattern, c.s, got)
		}
	}
}

// FuzzMatch: a pattern without wildcards matches itself only, and a star before and after it
// changes nothing for that.
func FuzzMatch(f *testing.F) {
	f.Add("pci:v00008086d0000100Esv*sd*bc*sc*i*", "pci:v00008086d0000100Esv00001AF4sd00001100bc02sc00i00")
	f.Add("a[!b-c]?\\*", "adx*")
	f.Add("[]-a]*[", "]x[")
	f.Fuzz(func(t *testing.T, pattern, s string) {
		matched := Match(pattern, s)
		if !strings.ContainsAny(pattern, `*?[\`) && matched != (pattern == s) {
			t.Errorf("Match(%q, %q) = %v", pattern, s, matched)
		}
		if matched && !Match("*"+pattern, s) {
			t.Errorf("%q matches %q, but not with a star before it", pattern, s)
		}
	})
}
