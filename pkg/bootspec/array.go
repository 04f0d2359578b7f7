package bootspec

import (
	"strconv"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// MD says which md arrays are started to look for root. An array that root= or fstab names is
// started in any case.
type MD struct {
	Off   Value[bool]     // none
	UUIDs []Value[string] // these only, as 32 digits of hex; none: all
	Other []Setting       // words without an effect, and why
}

// Allows reports whether an array with a UUID of 32 digits of hex may be started to look for root.
func (m MD) Allows(uuid string) bool {
	if m.Off.V {
		return false
	}
	for _, u := range m.UUIDs {
		if u.V == uuid {
			return true
		}
	}
	return len(m.UUIDs) == 0
}

// ArrayID is what an md array can be named by.
type ArrayID struct {
	UUID string // of its superblock, as 32 digits of hex
	Name string // of its superblock, "host:root" or "root"
}

// ShortName is the name without the host's, which mdadm(8) puts in front with a colon.
func (a ArrayID) ShortName() string { return a.Name[strings.IndexByte(a.Name, ':')+1:] }

// The links that udev makes (mdadm: udev-md-raid-arrays.rules).
const (
	arrayByUUID = "disk/by-id/md-uuid-"
	arrayByName = "disk/by-id/md-name-"
)

// Array returns which of some arrays a device of ByArray names, several if the name does not tell
// them apart, and which partition, 0 for the array itself. The number of mdN is that of the name,
// as mdadm gives it; other numbers depend on the order in which arrays are started, so it is the
// only one then, if complete: no other can come.
func (d Device) Array(all []ArrayID, complete bool) (found []int, partition int) {
	if uuid, ok := strings.CutPrefix(d.Text, arrayByUUID); ok && d.By == ByArray {
		return arraysOf(all, func(a ArrayID) bool { return a.UUID == uuidDigits(uuid) }), d.Partition
	}
	for _, r := range d.arrayNames() {
		if found = arraysOf(all, func(a ArrayID) bool { return a.Name == r.name || a.ShortName() == r.name }); len(found) > 0 {
			return found, r.partition
		}
	}
	if number, partition, ok := arrayNumber(d.Text); ok && d.By == ByArray && number != "" && len(all) == 1 && complete {
		return []int{0}, partition
	}
	return nil, 0
}

func arraysOf(all []ArrayID, match func(ArrayID) bool) (found []int) {
	for i, a := range all {
		if match(a) {
			found = append(found, i)
		}
	}
	return found
}

// arrayName is a name of an array, and a partition of it.
type arrayName struct {
	name      string
	partition int
}

// arrayNames lists what the name of a device can mean, the likeliest first.
func (d Device) arrayNames() (out []arrayName) {
	if d.By != ByArray {
		return nil
	}
	if name, ok := strings.CutPrefix(d.Text, arrayByName); ok {
		return []arrayName{{name, d.Partition}}
	}
	if number, partition, ok := arrayNumber(d.Text); ok {
		return []arrayName{{number, partition}}
	}
	name := d.Text[len("md/"):] // or "md_"
	out = []arrayName{{name, 0}}
	if stem, n, ok := cutDigits(name); ok && n > 0 && n <= maxPartition {
		// The kernel and udev put a p after a name that ends in a digit.
		if p := strings.TrimSuffix(stem, "p"); p != stem && p != "" && isDigit(p[len(p)-1]) {
			out = append(out, arrayName{p, n})
		} else if stem != "" {
			out = append(out, arrayName{stem, n})
		}
	}
	// mdadm(8), "Auto-Assembly": a number after the name of an array of another host.
	for _, r := range out {
		if stem, _, ok := cutDigits(r.name); ok && strings.HasSuffix(stem, "_") && len(stem) > 1 {
			out = append(out, arrayName{strings.TrimSuffix(stem, "_"), r.partition})
		}
	}
	return out
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// cutDigits cuts a number off the end.
func cutDigits(s string) (stem string, n int, ok bool) {
	i := len(s)
	for i > 0 && isDigit(s[i-1]) {
		i--
	}
	n, err := strconv.Atoi(s[i:])
	return s[:i], n, err == nil
}

// arrayNumber reads md127 and md127p2.
func arrayNumber(s string) (number string, partition int, ok bool) {
	rest, ok := strings.CutPrefix(s, "md")
	number, p, parted := strings.Cut(rest, "p")
	n, err := strconv.ParseUint(number, 10, 20) // MINORBITS (include/linux/kdev_t.h)
	ok = ok && err == nil && number == strconv.FormatUint(n, 10)
	if parted && ok {
		partition, ok = parsePartition(p)
	}
	return number, partition, ok
}

// maxArrayName is more than the name in a superblock, with the number of a partition.
const maxArrayName = 48

// parseArray reads a name of an array below /dev: md127, md/NAME, md_NAME, or one of its
// partitions.
func parseArray(s string) (Device, bool) {
	d := Device{By: ByArray, Text: s}
	if _, _, ok := arrayNumber(s); ok {
		return d, true
	}
	name, ok := strings.CutPrefix(s, "md/")
	if !ok {
		name, ok = strings.CutPrefix(s, "md_")
	}
	return d, ok && isArrayName(name)
}

// parseArrayID reads the name of a link below by-id.
func parseArrayID(s string) (d Device, ok bool) {
	d = Device{By: ByArray}
	if s, d.Partition, ok = cutPartition(s); !ok {
		return Device{}, false
	}
	d.Text = "disk/by-id/" + s
	uuid, isUUID := strings.CutPrefix(s, "md-uuid-")
	name, isName := strings.CutPrefix(s, "md-name-")
	return d, isUUID && uuidDigits(uuid) != "" || isName && isArrayName(name)
}

func isArrayName(s string) bool {
	odd := strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c >= 0x7f || strings.ContainsRune(`"'\/`, c) })
	return s != "" && s != "." && s != ".." && len(s) <= maxArrayName && !odd
}

// uuidDigits returns the 32 digits of a UUID as mdadm(8), dracut or blkid(8) write it, "" if it is
// none.
func uuidDigits(s string) string {
	s = strings.ToLower(strings.NewReplacer(":", "", "-", "").Replace(s))
	if len(s) != 32 || strings.Trim(s, "0123456789abcdef") != "" {
		return ""
	}
	return s
}

// md reads rd.md=, a boolean.
func (ps *parser) md(p cmdline.Param) error {
	set(ps, &ps.plan.Root.MD.Off, off(p.Value), p)
	return nil
}

// noMD reads the old name of rd.md=0.
func (ps *parser) noMD(p cmdline.Param) error {
	set(ps, &ps.plan.Root.MD.Off, !off(p.Value), p)
	return nil
}

// mdUUID reads the UUID of an array. One that cannot be read is no error: root may be somewhere
// else.
func (ps *parser) mdUUID(p cmdline.Param) error {
	uuid := uuidDigits(strings.TrimPrefix(p.Value, "md-uuid-"))
	if uuid == "" {
		ps.warnf("%s is ignored: write %s=UUID, as mdadm --detail shows it", source(p), p.Key)
		return nil
	}
	ps.plan.Root.MD.UUIDs = append(ps.plan.Root.MD.UUIDs, Value[string]{uuid, source(p)})
	return nil
}

// mdOther reads settings of dracut that have no effect here.
func (ps *parser) mdOther(p cmdline.Param) error {
	why := "no effect: arrays are found by their superblocks"
	switch p.Key {
	case "rd.auto", "domdadm":
		why = "no effect: the arrays that root may be on are started"
	case "rd.md.imsm", "rd_NO_MDIMSM", "rd.md.ddf":
		why = "no effect: arrays of a firmware are not supported"
	case "rd.md.waitclean":
		why = "no effect: arrays are stopped at shutdown"
	}
	ps.plan.Root.MD.Other = append(ps.plan.Root.MD.Other, Setting{What: "md setting", Value: why, From: source(p)})
	return nil
}
