// Package linkfile reads the files by which udev names NICs, systemd.link(5): the conditions of
// [Match], and the name and the policy in [Link]. It only reads from an fs.FS: the conditions are
// compared with a NIC whose facts are passed in, and pkg/network gives the name.
package linkfile

import (
	"encoding/hex"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/glob"
)

// The keys of [Match] that are supported.
const (
	MAC          = "MACAddress"
	PermanentMAC = "PermanentMACAddress"
	OriginalName = "OriginalName"
	Driver       = "Driver"
	Path         = "Path"
	Type         = "Type"
	Kind         = "Kind"
)

// The policies of NamePolicy=. There is no hardware database in an initramfs.
const (
	Keep     = "keep"
	Kernel   = "kernel"
	Database = "database"
	Onboard  = "onboard"
	Slot     = "slot"
	ByPath   = "path"
	ByMAC    = "mac"
)

// The keys of each kind, between blanks.
const (
	addresses = " MACAddress PermanentMACAddress "
	patterns  = " OriginalName Driver Path Type Kind "
	policies  = " keep kernel database onboard slot path mac "
	// conditions depend on more than the properties of a NIC, and are not supported.
	conditions = " Property Host Virtualization KernelCommandLine KernelVersion Version Credential Architecture Firmware "
	// silent are keys of [Link] that have no effect on the boot.
	silent = " Description Alias AlternativeName AlternativeNamesPolicy "
)

func listed(list, word string) bool {
	return !strings.Contains(word, " ") && strings.Contains(list, " "+word+" ")
}

// File is a file with its drop-ins.
type File struct {
	// Path is where it is.
	Path string
	// Match has the list of each key that is not empty: addresses, with colons and in lower
	// case, or patterns of fnmatch(3), each with a '!' if its list is inverted.
	Match map[string][]string
	// Name and Policies are of [Link]; Name is used where no policy gives one.
	Name     string
	Policies []string
	// Undone are settings that are ignored: "[SECTION] KEY=", or "[SECTION]" as a whole.
	Undone []string
	// Wrong are invalid values, as KEY=VALUE, and lines that are not assignments.
	Wrong []string
}

// NIC has the properties of a NIC by the keys of [Match]; a missing one is empty.
type NIC map[string]string

// Of returns the first file that is for a NIC, nil if none is. Files with conditions that cannot be
// evaluated are skipped; maybe are those that would be for the NIC and come before it.
func Of(files []*File, nic NIC) (file *File, maybe []*File) {
	for _, f := range files {
		switch {
		case len(f.Match) == 0 || !f.matches(nic):
		case f.Conditions() != "":
			maybe = append(maybe, f)
		default:
			return f, maybe
		}
	}
	return nil, maybe
}

// Conditions names the keys of [Match] that cannot be judged, each with "=".
func (f *File) Conditions() string {
	text := ""
	for _, key := range strings.Fields(conditions) {
		if len(f.Match[key]) > 0 {
			text += ", " + key + "="
		}
	}
	return strings.TrimPrefix(text, ", ")
}

func (f *File) matches(nic NIC) bool {
	for key, list := range f.Match {
		if !listed(conditions, key) && !matches(key, list, nic[key]) {
			return false
		}
	}
	return true
}

// matches reports whether a list has a value. One of inverted patterns alone has what none of them
// has (src/shared/net-condition.c: net_condition_test_strv).
func matches(key string, list []string, value string) bool {
	if listed(addresses, key) {
		return slices.Contains(list, value)
	}
	found, wanted := false, false
	for _, pattern := range list {
		plain, inverted := strings.CutPrefix(pattern, "!")
		wanted = wanted || !inverted
		if value == "" || !glob.Match(plain, value) {
			continue
		}
		if inverted {
			return false
		}
		found = true
	}
	return found || !wanted
}

// set processes a key of a section.
func (f *File) set(section, key, value string) {
	switch what := section + "." + key; {
	case section == "Match" && listed(addresses+patterns+conditions, key):
		f.setMatch(key, value)
	case what == "Link.Name" && (value == "" || isName(value)):
		f.Name = value
	case what == "Link.Name":
		note(&f.Wrong, key+"="+value)
	case what == "Link.NamePolicy":
		f.setPolicies(value)
	case strings.HasPrefix(section, "X-") || strings.HasPrefix(key, "X-") || section == "Link" && listed(silent, key):
	case what == "Link.MACAddressPolicy" && value != "random": // a card's own address is persistent
	case section == "Match" || section == "Link":
		note(&f.Undone, "["+section+"] "+key+"=")
	default:
		note(&f.Undone, "["+section+"]")
	}
}

// setMatch adds to the list of a key, or empties it.
func (f *File) setMatch(key, value string) {
	if value == "" {
		delete(f.Match, key)
		return
	}
	before, rest := "", value
	if value[0] == '!' && !listed(addresses, key) {
		before, rest = "!", value[1:]
	}
	list, ok := words(rest)
	if !ok {
		note(&f.Wrong, key+"="+value)
	}
	for _, word := range list {
		if listed(addresses, key) {
			address := readMAC(word)
			if address == "" {
				note(&f.Wrong, key+"="+word)
				continue
			}
			word = address
		}
		if word = before + word; word != "!" { // no name is empty
			f.Match[key] = append(f.Match[key], word)
		}
	}
}

// readMAC returns an Ethernet address, whose bytes may stand between colons or hyphens, or in three
// groups between dots, with colons and in lower case; nothing if it is none.
func readMAC(s string) string {
	s = strings.ToLower(s)
	for _, form := range []struct {
		separator string
		groups    int
	}{{":", 6}, {"-", 6}, {".", 3}} {
		parts := strings.Split(s, form.separator)
		if len(parts) != form.groups || slices.Contains(parts, "") {
			continue
		}
		digits := ""
		for _, part := range parts {
			digits += strings.Repeat("0", max(0, 12/form.groups-len(part))) + part // 2:4:... is read too
		}
		if b, err := hex.DecodeString(digits); err != nil || len(b) != 6 {
			return ""
		}
		for at := 10; at > 0; at -= 2 {
			digits = digits[:at] + ":" + digits[at:]
		}
		return digits
	}
	return ""
}

// setPolicies replaces the list of policies.
func (f *File) setPolicies(value string) {
	f.Policies = nil
	list, _ := words(value)
	for _, word := range list {
		if listed(policies, word) {
			note(&f.Policies, word)
		} else {
			note(&f.Wrong, "NamePolicy="+word)
		}
	}
}

// maxNotes bounds the length of such a list.
const maxNotes = 16

// note adds a text to a list, once.
func note(list *[]string, text string) {
	if !slices.Contains(*list, text) && len(*list) < maxNotes {
		*list = append(*list, text)
	}
}

// isName reports whether udev gives a NIC a name (src/basic/socket-util.c: ifname_valid_full): no
// number alone, none of the directories in /proc/sys/net/ipv4/conf.
func isName(s string) bool {
	const maxName = 15 // include/uapi/linux/if.h: IFNAMSIZ, without the NUL
	odd := func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(":/%", r) }
	return s != "" && len(s) <= maxName && !slices.Contains([]string{".", "..", "all", "default"}, s) &&
		!strings.ContainsFunc(s, odd) && strings.Trim(s, "0123456789") != ""
}
