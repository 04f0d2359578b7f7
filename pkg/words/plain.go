package words

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Plain returns s if it can stand in a line as it is, else quoted.
func Plain(s string) string {
	if s != "" && s[0] != '"' && utf8.ValidString(s) && !strings.ContainsFunc(s, func(c rune) bool { return !unicode.IsPrint(c) }) {
		return s
	}
	return strconv.Quote(s)
}
