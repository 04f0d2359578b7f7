package dm

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// hexDigits are in lower case, as libdevmapper writes them.
const hexDigits = "0123456789abcdef"

// plain reports whether libdevmapper leaves a character of a name or UUID as it is
// (libdm/libdm-common.c: _is_whitelisted_char); udev allows these in names of links.
func plain(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || strings.IndexByte("#+-.:=@_", c) >= 0
}

// Mangle escapes a name or UUID as libdevmapper does (dmsetup(8), --manglename hex): each other
// byte is \xNN.
func Mangle(name string) string {
	var b strings.Builder
	for i := range len(name) {
		if c := name[i]; plain(c) {
			b.WriteByte(c)
		} else {
			b.WriteString(`\x` + string(hexDigits[c>>4]) + string(hexDigits[c&15]))
		}
	}
	return b.String()
}

// checkName refuses what the kernel would cut short, and what Mangle does not return.
func checkName(name string, limit int) error {
	if len(name) >= limit {
		return fmt.Errorf("%d bytes are more than %d: %w", len(name), limit-1, unix.ENAMETOOLONG)
	}
	for i := range len(name) {
		if c := name[i]; !plain(c) && c != '\\' {
			return fmt.Errorf("character %q is not escaped: %w", c, unix.EINVAL)
		}
	}
	return nil
}
