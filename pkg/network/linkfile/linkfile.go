// Package linkfile reads the files by which udev names NICs, systemd.link(5): what [Match] asks of a NIC, and the name and
// the policy in [Link]. It only reads from an fs.FS: what is asked for is compared with a NIC whose facts are passed in,
// and pkg/network gives the name.
package linkfile

import (
	"net"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/glob"
)

// The keys of [Match] that are judged. Hardware is of no kind.
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

var (
	judged   = []string{MAC, PermanentMAC, OriginalName, Driver, Path, Type, Kind}
	policies = []string{Keep, Kernel, Database, Onboard, Slot, ByPath, ByMAC}
	// notJudged are conditions that ask for more than a NIC's facts.
	notJudged = []string{
		"Property", "Host", "Virtualization", "KernelCommandLine", "KernelVersion", "Version", "Credential", "Architecture", "Firmware",
	}
	// silent are keys of [Link] that udev of the real system does in time, or that change nothing that the boot has.
	silent = []string{"Description", "Alias", "AlternativeName", "AlternativeNamesPolicy"}
)

// File is a file with its drop-ins.
type File struct {
	// Path is where it is.
	Path string
	// Match has the list of each judged key that is not empty: addresses, with colons and in lower case, or patterns
	// of fnmatch(3), each with a '!' if its list is inverted.
	Match map[string][]string
	// Unjudged are the keys of [Match] that cannot be judged, so that the file is for no NIC.
	Unjudged []string
	// Name and Policies are of [Link]; Name counts where no policy gives one.
	Name     string
	Policies []string
	// Undone is what nothing comes of: "[SECTION] KEY=", or "[SECTION]" as a whole.
	Undone []string
	// Wrong are values that are none, as KEY=VALUE, and lines that are no assignment.
	Wrong []string
}

// NIC has the facts of a NIC by the keys of [Match]; what it lacks is empty.
type NIC map[string]string

// Of returns the first file that is for a NIC, nil if none is, and the files before it that would be, but for what cannot
// be judged.
func Of(files []File, nic NIC) (file *File, unjudged []*File) {
	for i := range files {
		f := &files[i]
		switch {
		case len(f.Match)+len(f.Unjudged) == 0 || !f.matches(nic):
		case len(f.Unjudged) > 0:
			unjudged = append(unjudged, f)
		default:
			return f, unjudged
		}
	}
	return nil, unjudged
}

func (f *File) matches(nic NIC) bool {
	for key, list := range f.Match {
		if !matches(key, list, nic[key]) {
			return false
		}
	}
	return true
}

// matches tells whether a list has a value. One of inverted patterns alone has what none of them has
// (src/shared/net-condition.c: net_condition_test_strv).
func matches(key string, list []string, value string) bool {
	if key == MAC || key == PermanentMAC {
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

// set takes in a key of a section.
func (f *File) set(section, key, value string) {
	switch {
	case section == "Match" && slices.Contains(judged, key):
		f.setMatch(key, value)
	case section == "Match" && slices.Contains(notJudged, key):
		f.Unjudged = slices.DeleteFunc(f.Unjudged, func(s string) bool { return s == key })
		if value != "" {
			note(&f.Unjudged, key)
		}
	case section == "Link" && key == "Name":
		if value != "" && !isName(value) {
			note(&f.Wrong, key+"="+value)
			return
		}
		f.Name = value
	case section == "Link" && key == "NamePolicy":
		f.setPolicies(value)
	case strings.HasPrefix(key, "X-") || section == "Link" && slices.Contains(silent, key):
	case section == "Link" && key == "MACAddressPolicy" && value != "random": // a card's own address is persistent
	case section == "Match" || section == "Link":
		note(&f.Undone, "["+section+"] "+key+"=")
	case !strings.HasPrefix(section, "X-"):
		note(&f.Undone, "["+section+"]")
	}
}

// setMatch adds to the list of a key, or empties it.
func (f *File) setMatch(key, value string) {
	if value == "" {
		delete(f.Match, key)
		return
	}
	rest, inverted := strings.CutPrefix(value, "!")
	mac := key == MAC || key == PermanentMAC
	if mac {
		rest, inverted = value, false
	}
	list, ok := words(rest)
	if !ok {
		note(&f.Wrong, key+"="+value)
	}
	for _, word := range list {
		if mac {
			address, err := net.ParseMAC(word)
			if err != nil {
				note(&f.Wrong, key+"="+word)
				continue
			}
			word = address.String()
		}
		if inverted {
			word = "!" + word
		}
		if word == "!" { // no name is empty
			continue
		}
		if f.Match == nil {
			f.Match = map[string][]string{}
		}
		f.Match[key] = append(f.Match[key], word)
	}
}

// setPolicies takes a list in place of the one before.
func (f *File) setPolicies(value string) {
	f.Policies = nil
	for word := range strings.FieldsSeq(value) {
		switch {
		case !slices.Contains(policies, word):
			note(&f.Wrong, "NamePolicy="+word)
		case !slices.Contains(f.Policies, word):
			f.Policies = append(f.Policies, word)
		}
	}
}

// maxNotes is how much of one kind is told of one file.
const maxNotes = 16

// note adds to what is told of a file, once.
func note(list *[]string, text string) {
	if !slices.Contains(*list, text) && len(*list) < maxNotes {
		*list = append(*list, text)
	}
}

// isName tells whether udev gives a NIC a name (src/basic/socket-util.c: ifname_valid_full): no number alone, none of the
// directories in /proc/sys/net/ipv4/conf.
func isName(s string) bool {
	const maxName = 15 // include/uapi/linux/if.h: IFNAMSIZ, without the NUL
	odd := func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(":/%", r) }
	return s != "" && len(s) <= maxName && !slices.Contains([]string{".", "..", "all", "default"}, s) &&
		!strings.ContainsFunc(s, odd) && strings.Trim(s, "0123456789") != ""
}
