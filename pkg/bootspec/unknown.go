package bootspec

import (
	"strconv"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// looksOurs tells whether a key is in one of our name spaces. iscsi_tcp.x= is a
// parameter of a module.
func looksOurs(key string) bool {
	return strings.HasPrefix(key, "iscsi_") && (!strings.Contains(key, ".") || hasNumber(key)) ||
		strings.HasPrefix(key, "rd.iscsiroot.") || strings.HasPrefix(key, "rd.iscsi.") || strings.HasPrefix(key, "rd.net.timeout.")
}

// mistyped tells whether a key is in no name space of ours and still one letter,
// or the case of letters, away from a name that nobody but us has.
func mistyped(key string) bool {
	for _, name := range []string{"BOOTIF", "bootdev", "ifname", "nameserver", "netroot", "rootfallback", "rd.neednet", "rd.peerdns", "rd.route", "rd.bootif"} {
		if distance(key, name, 2) < 2 || strings.EqualFold(key, name) {
			return true
		}
	}
	return false
}

// hasNumber tells that what is behind the only dot is a number, as behind the
// parameters of a further target: no module has a parameter of that name.
func hasNumber(key string) bool {
	_, number, _ := strings.Cut(key, ".")
	_, err := strconv.ParseUint(number, 10, 64)
	return err == nil
}

// unknown says that a parameter is not understood and which ones are nearest.
func unknown(p cmdline.Param) string {
	msg := "parameter " + clip(p.Key) + " is not understood and does nothing"
	if near := nearest(p.Key); len(near) > 0 {
		msg += ": did you mean " + strings.Join(near, " or ") + "?"
	}
	return msg
}

// nearest returns the names that differ from key in case only, or in the
// fewest letters, two at most.
func nearest(key string) []string {
	var out []string
	best := 2
	for _, row := range Table() {
		for _, name := range row.Names() {
			if strings.EqualFold(key, name) {
				return []string{name}
			}
			switch d := distance(key, name, best+1); {
			case d < best:
				out, best = []string{name}, d
			case d == best:
				out = append(out, name)
			}
		}
	}
	return out
}

// distance is the Levenshtein distance of a and b in bytes; limit or more
// where the lengths alone say so.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diag := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diag
			if a[i] != b[j] {
				cost++
			}
			diag = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
