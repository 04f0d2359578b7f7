package kmod

import "testing"

func TestGlob(t *testing.T) {
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
		if got := glob(c.pattern, c.s); got != c.want {
			t.Errorf("glob(%q, %q) = %v", c.pattern, c.s, got)
		}
	}
}

func TestNormalisePattern(t *testing.T) {
	for in, want := range map[string]string{
		"crypto-crc32c": "crypto_crc32c",
		"a-[0-9]-b":     "a_[0-9]_b",
		"a-[0-9":        "a_[0_9",
		"plain":         "plain",
	} {
		if got := normalisePattern(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
