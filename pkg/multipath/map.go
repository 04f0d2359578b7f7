package multipath

import (
	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
)

// Path is a disk of a session, as one way to a LUN.
type Path struct {
	Disk   string // "sda"
	Number table.Number
	Size   int64 // bytes; 0: not known, as of a path in standby
	ID     ID    // empty: the LUN has no designator that can be used
	// Global is whether the ID is the only one of its kind in the world, as far as its form
	// tells: see [Identify]. Without that it is compared only within a target.
	Global bool
	Vendor string // of INQUIRY, without blanks at the end
	Target string // iSCSI name
	LUN    uint64 // in the kernel's numbering
	// Content is a digest of the LUN's contents; empty: not read. See [Doubtful].
	Content string
	Access  Access
	// Preferred is ALUA's PREF bit (SPC-4 6.27).
	Preferred bool
}

// Access is the access state of a path (ALUA, SPC-4 5.15.2.4), in the kernel's words
// (drivers/scsi/scsi_sysfs.c: sdev_access_states); empty: the LUN has none.
type Access string

// The access states.
const (
	Optimized    Access = "active/optimized"
	NonOptimized Access = "active/non-optimized"
	Standby      Access = "standby"
	Unavailable  Access = "unavailable"
	LBADependent Access = "lba-dependent"
	Offline      Access = "offline"
	Transitional Access = "transitioning"
)

// Priority is the higher the sooner a path is to be used: that of multipath-tools
// (libmultipath/prioritizers/alua.c: getprio). Paths of the same priority are used together.
func Priority(p Path) int {
	priority := 0
	switch p.Access {
	case Optimized:
		priority = 50
	case NonOptimized:
		priority = 10
	case LBADependent:
		priority = 5
	case Standby:
		priority = 1
	case Unavailable, Offline, Transitional:
	}
	if p.Preferred && p.Access != Optimized {
		priority += 80
	}
	return priority
}

// Map is a LUN and the paths to it.
type Map struct {
	// ID is empty where no map can be made in device-mapper: the LUN has none, or another LUN
	// has the same one. Then one of the paths is a disk to be used, and the others are not.
	ID     ID
	Size   int64    // bytes; 0: that of no path is known
	Groups [][]Path // those to use first come first; in a group all are used
}

// Paths returns the paths of all groups.
func (m Map) Paths() []Path {
	var out []Path
	for _, g := range m.Groups {
		out = append(out, g...)
	}
	return out
}

// With returns the map with another path behind the others of its priority. It replaces one of the
// same number.
func (m Map) With(p Path) Map {
	if m.Size == 0 {
		m.Size = p.Size
	}
	return m.Regroup(append(m.Without(p.Number).Paths(), p))
}

// Without returns the map without a path. It may have none left.
func (m Map) Without(n table.Number) Map {
	var left []Path
	for _, p := range m.Paths() {
		if p.Number != n {
			left = append(left, p)
		}
	}
	return m.Regroup(left)
}

// Regroup returns the map with these paths, grouped by their priorities; their order is kept.
func (m Map) Regroup(paths []Path) Map {
	m.Groups = nil
	for _, p := range paths {
		at := 0
		for at < len(m.Groups) && Priority(m.Groups[at][0]) > Priority(p) {
			at++
		}
		if at == len(m.Groups) || Priority(m.Groups[at][0]) < Priority(p) {
			m.Groups = append(m.Groups, nil)
			copy(m.Groups[at+1:], m.Groups[at:])
			m.Groups[at] = nil
		}
		m.Groups[at] = append(m.Groups[at], p)
	}
	return m
}

// Table is the map's in device-mapper: I/O waits while no path works, as with none, and begins in
// the first group. The Size has to be known.
func (m Map) Table() table.Table {
	t := &table.Multipath{Queue: true, First: min(1, len(m.Groups))}
	for _, g := range m.Groups {
		var group table.PathGroup
		for _, p := range g {
			group.Paths = append(group.Paths, p.Number)
		}
		t.Groups = append(t.Groups, group)
	}
	return table.Table{{Length: uint64(m.Size) / table.SectorSize, Target: t}}
}
