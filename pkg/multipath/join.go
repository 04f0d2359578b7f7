package multipath

import (
	"fmt"
	"slices"
)

// sharedVendor is the vendor in INQUIRY of tgt, which gives the first LUN of the first target of
// every host the same WWID (usr/spc.c: spc_lu_init, update_vpd_83:
// 360000000000000000e00000000010001).
const sharedVendor = "IET"

// Refusal is why two disks that may seem to be one LUN are not joined.
type Refusal struct {
	Disk, With string // "sdb" and the earlier "sda"
	Reason     string // for the screen, with what to do
}

// String returns the refusal as a line for the screen.
func (r Refusal) String() string {
	return fmt.Sprintf("%s is not joined with %s by multipath: %s", r.Disk, r.With, r.Reason)
}

// Maps finds which disks are paths to the same LUN. Each path is in one map, a map may have one
// path, and the maps and the paths in their groups are in the order of the paths given.
//
// Disks with the same ID and size are joined: of different targets if the ID is Global, the
// vendor's are unique and their Content is the same, or if the ID is in allow; otherwise only those
// of one target and LUN number. Those without an ID are joined within a target and LUN number as
// well, into a map without an ID. Of maps that have the same ID only the first keeps it, because
// device-mapper takes a name once.
func Maps(paths []Path, allow []ID) (maps []Map, refused []Refusal) {
	for _, p := range paths {
		at := slices.IndexFunc(maps, func(m Map) bool { return m.has(p, allow) })
		if at < 0 {
			at = len(maps)
			maps = append(maps, Map{ID: p.ID})
		} else if p.ID == "" {
			refused = append(refused, Refusal{p.Disk, maps[at].first().Disk, "the LUN has no WWID: one of the two is used, as a disk"})
		}
		maps[at] = maps[at].With(p)
	}
	return maps, append(refused, unique(maps)...)
}

// unique removes the IDs that an earlier map has.
func unique(maps []Map) (refused []Refusal) {
	for i := range maps {
		for _, earlier := range maps[:i] {
			if maps[i].ID != "" && maps[i].ID == earlier.ID {
				refused = append(refused, refusal(maps[i], earlier))
				maps[i].ID = ""
			}
		}
	}
	return refused
}

func (m Map) first() Path { return m.Groups[0][0] }

// has reports whether a path leads to the map's LUN: each of the map's paths is as good to compare
// with.
func (m Map) has(p Path, allow []ID) bool {
	return sameSize(m.Size, p.Size) && m.first().same(p, allow)
}

func sameSize(a, b int64) bool { return a == b || a == 0 || b == 0 }

// Same reports whether two disks are paths to the same LUN: see [Maps].
func Same(a, b Path, allow []ID) bool { return sameSize(a.Size, b.Size) && a.same(b, allow) }

func (p Path) same(q Path, allow []ID) bool {
	if p.ID != q.ID || p.Unique(allow) != q.Unique(allow) {
		return false
	}
	if !p.Unique(allow) {
		return p.Target == q.Target && p.LUN == q.LUN
	}
	return slices.Contains(allow, p.ID) || p.Target == q.Target || p.Content != "" && p.Content == q.Content
}

// Doubtful reports whether it depends on the Content of two disks whether they are joined: they are
// of different targets, and have the same ID. A copied target keeps it: LIO's is made from a serial
// number that its configuration has.
func Doubtful(a, b Path, allow []ID) bool {
	a.Content, b.Content = "", ""
	if Same(a, b, allow) {
		return false
	}
	a.Content, b.Content = "same", "same"
	return Same(a, b, allow)
}

// Unique reports whether no other LUN has the path's ID, unless a target was copied.
func (p Path) Unique(allow []ID) bool {
	return p.ID != "" && (p.Global && p.Vendor != sharedVendor || slices.Contains(allow, p.ID))
}

// refusal tells why the disks of two maps with the same ID are not joined.
func refusal(m, earlier Map) Refusal {
	p, with := m.first(), earlier.first()
	var why string
	hint := ": if they are one LUN, write iscsi_multipath=" + string(p.ID)
	switch {
	case !sameSize(m.Size, earlier.Size):
		why = fmt.Sprintf("%s has %d bytes and %s %d: give each LUN a WWID of its own", p.Disk, m.Size, with.Disk, earlier.Size)
	case p.Vendor == sharedVendor || with.Vendor == sharedVendor:
		why = "WWIDs of vendor " + sharedVendor + " are not unique" + hint
	case p.Global && with.Global && p.Content != "" && with.Content != "":
		why = "their contents differ: give each LUN a WWID of its own"
	case p.Global && with.Global:
		why = "their contents cannot be compared" + hint
	default:
		why = "it has no manufacturer's number, so it may not be unique" + hint
	}
	return Refusal{p.Disk, with.Disk, fmt.Sprintf("both have WWID %s, but %s", p.ID, why)}
}
