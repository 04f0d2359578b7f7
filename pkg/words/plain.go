package words

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Plain returns s, quoted if Read requires that.
func Plain(s string) string {
	if s != "" && s[0] != '"' && Printable(s) {
		return s
	}
	return strconv.Quote(s)
}

// Printable reports whether s is UTF-8 of printable characters, without control characters.
func Printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(c rune) bool { return !unicode.IsPrint(c) })
}

// Mask replaces each control character with a question mark (C0 and C1 of ECMA-48, and DEL) but the
// tab: a terminal interprets them, and the text may come from a target or a disk.
func Mask(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, s)
}

// IsBlankOrControl reports whether r is a blank or a control character of ASCII.
func IsBlankOrControl(r rune) bool { return r <= ' ' || r == 0x7f }
