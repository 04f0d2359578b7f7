package kmod

import "testing"

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
