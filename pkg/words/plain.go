package words

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Plain returns s if it can stand in a line as it is, else quoted.
func Plain(s string) string {
	if s != "" && s[0] != '"' && Printable(s) {
		return s
	}
	return strconv.Quote(s)
}

// Printable reports whether s is UTF-8 without anything that a terminal would obey or not show.
func Printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(c rune) bool { return !unicode.IsPrint(c) })
}

// Mask puts a question mark in the place of each control character (C0 and C1 of ECMA-48, and DEL)
// but the tab: a terminal obeys them, and the text may come from a target or a disk.
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
