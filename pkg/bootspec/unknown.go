package bootspec

import (
	"math/bits"
	"slices"
	"strconv"
	"strings"
)

// hasReservedPrefix reports whether a key is in a name space of iSCSI parameters. iscsi_tcp.x= is a
// parameter of a module.
func hasReservedPrefix(key string) bool {
	key = strings.ToLower(key)
	return strings.HasPrefix(key, "iscsi_") && (!strings.Contains(key, ".") || number(key) != "") ||
		strings.HasPrefix(key, "rd.iscsiroot.") || strings.HasPrefix(key, "rd.iscsi.") || strings.HasPrefix(key, "rd.net.timeout.")
}

// number returns the end of a key that is a dot and a number, as in the parameters of a second
// target: no module has a parameter of such a name.
func number(key string) string {
	base, n, _ := strings.Cut(key, ".")
	if _, err := strconv.ParseUint(n, 10, 64); err != nil {
		return ""
	}
	return key[len(base):]
}

// unknown returns the warning of an unknown parameter, with the nearest names.
func unknown(key string, near []string) string {
	msg := "parameter " + key + " is not understood and is ignored"
	if len(near) > 0 {
		msg += ": did you mean " + strings.Join(near, " or ") + "?"
	}
	return msg
}

const (
	// Shorter names are similar to too many words. Those that begin with iscsi_ are still
	// compared without regard to case.
	minMisspelled = 6
	// maxMisspelled is how many letters may be wrong, missing, too many, or exchanged with the
	// next one.
	maxMisspelled = 2
	// maxNear is how many names are proposed.
	maxNear = 3
)

// spelling is a name and which letters it has.
type spelling struct {
	name    string
	letters uint64
}

// letterSet has a bit for each of the letters, digits and other signs in s. Names that differ in n
// letters differ in n bits in each direction at most.
func letterSet(s string) (set uint64) {
	for i := range len(s) {
		set |= 1 << (s[i] & 63)
	}
	return set
}

// misspelled returns the names of which a key may be a misspelling: those that differ from it in
// case only, or in the fewest letters.
func (v *Vocabulary) misspelled(key string) (near []string) {
	if slices.Contains(notMisspelled(), key) {
		return nil
	}
	suffix := number(key)
	base := strings.TrimSuffix(key, suffix)
	letters := letterSet(base)
	best := maxMisspelled
	for _, s := range v.names {
		d := best + 1
		switch {
		case len(base) == len(s.name) && strings.EqualFold(base, s.name) && (len(s.name) >= minMisspelled || strings.HasPrefix(s.name, "iscsi_")):
			d = 0
		case bits.OnesCount64(letters&^s.letters) > best || bits.OnesCount64(s.letters&^letters) > best:
		case len(s.name) >= minMisspelled && sameSpace(base, s.name):
			d = max(1, distance(base, s.name, best+1))
		}
		switch {
		case d < best:
			near, best = []string{s.name}, d
		case d == best && len(near) < maxNear:
			near = append(near, s.name)
		}
	}
	for i, name := range near {
		if _, _, ok := v.find(name + suffix); ok {
			near[i] = name + suffix
		}
	}
	return near
}

// suggestions returns the names to suggest for an unknown key: those of which it is a misspelling,
// or the name before a colon that is written in place of =.
func (v *Vocabulary) suggestions(key string) []string {
	name, _, ok := strings.Cut(key, ":")
	if _, _, known := v.find(name); ok && known {
		return []string{name + "="}
	}
	return v.misspelled(name)
}

// notMisspelled returns words of other programs that are similar to a parameter's name.
func notMisspelled() []string { return []string{"boot_delay", "nopat"} }

// sameSpace reports whether a key may be a mistyped name. MODULE.PARAMETER, such as drm.debug, is
// not: either the part before the dot is right, or the part after it begins with iscsi.
func sameSpace(key, name string) bool {
	space, _, dotted := strings.Cut(name, ".")
	has, rest, ok := strings.Cut(key, ".")
	return dotted == ok && (!ok || has == space || strings.HasPrefix(rest, "iscsi"))
}

// distance returns the Damerau-Levenshtein distance of a and b in bytes (optimal string alignment),
// at most limit.
func distance(a, b string, limit int) int {
	const most = 48 // longer than any name, and most of what is compared
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	var room [3 * (most + 1)]int
	n := len(b) + 1
	rows := room[:]
	if n > most+1 {
		rows = make([]int, 3*n)
	}
	before, last, row := rows[:n], rows[n:2*n], rows[2*n:3*n]
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before, last, row = last, row, before
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j]+cost, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return min(row[len(b)], limit)
}
