package netboot

import "strings"

// maxName bounds an iSCSI name in bytes (RFC 7143 4.2.7.1).
const maxName = 223

// isHostName tells whether a text is one label of a host name (RFC 1123 2.1).
func isHostName(s string) bool {
	return s != "" && len(s) <= 63 && s[0] != '-' && s[len(s)-1] != '-' && !strings.ContainsFunc(s, func(c rune) bool {
		return c != '-' && !isLetterOrDigit(c)
	})
}

func isLetterOrDigit(c rune) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// dnsmasqTakes tells as what dnsmasq takes a host name in dhcp-host, where fields have no keys
// (option.c: one_opt, case LOPT_DHCP_HOST); empty if as a name. A lease time is digits and a unit
// of time at most.
func dnsmasqTakes(name string) string {
	name = strings.ToLower(name)
	if name == "ignore" || name == "infinite" {
		return "the keyword " + name
	}
	digits := name
	if len(name) > 1 && strings.ContainsRune("wdhms", rune(name[len(name)-1])) {
		digits = name[:len(name)-1]
	}
	if name != "" && strings.Trim(digits, "0123456789") == "" {
		return "a lease time"
	}
	return ""
}

// iscsiName reads the name of an initiator or target. What RFC 7143 4.2.7.2 does not allow in names
// is refused, as some of the formats give it a meaning; underscores are in use.
func (r *hostReader) iscsiName(key string) string {
	name, line := r.value(key, true)
	odd := func(c rune) bool { return !isLetterOrDigit(c) && !strings.ContainsRune(".-:_", c) }
	switch {
	case name == "":
	case len(name) > maxName:
		r.failf(line, key, "it has %d bytes: an iSCSI name has %d at most", len(name), maxName)
		return ""
	case strings.ContainsFunc(name, odd):
		r.failf(line, key, "%s is not an iSCSI name: write letters, digits, dots, colons and hyphens, such as iqn.2007-01.com.example:storage.remote1", name)
		return ""
	}
	return name
}

// more reads the field append, which is words for the command line. Words that a boot loader would
// take for its own are refused: "initrd=" of PXELINUX and of the kernel under EFI, and "#", which
// begins a comment of iPXE.
func (r *hostReader) more() string {
	values, line := r.values("append")
	text := strings.Join(values, " ")
	for word := range strings.FieldsSeq(text) {
		switch key, _, _ := strings.Cut(word, "="); {
		case word[0] == '#':
			r.failf(line, "append", "%s begins with #, where a comment begins in scripts of iPXE: remove it", word)
		case strings.EqualFold(key, "initrd"):
			r.failf(line, "append", "%s names an image to the boot loader: use initrd", word)
		}
	}
	return strings.Join(strings.Fields(text), " ")
}
