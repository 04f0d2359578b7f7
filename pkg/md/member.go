package md

import (
	"fmt"
	"strings"
)

// Member is a device of an array.
type Member struct {
	Place       string
	Device      UUID
	Number      uint32
	Slot        int // -1: spare
	Events      uint64
	Partial     bool // it is being rebuilt: it has not all data of its slot yet
	Replacement bool // it is to replace another one in its slot
}

// Left is a device that is not used, and why.
type Left struct {
	Member
	Why string
}

// member makes the value of a device that was found.
func (f *Found) member() Member {
	s := &f.Superblock
	m := Member{
		Place: f.Place, Device: s.Device, Number: s.Number, Slot: s.slot(s.Number), Events: s.Events,
		Replacement: s.has(FeatureReplacement),
	}
	m.Partial = m.Slot >= 0 && s.has(FeatureRecovery)
	return m
}

// before is the order of members: by slots, a replacement behind what it replaces, then spares.
func (m *Member) before(other *Member) bool {
	switch {
	case m.Slot != other.Slot:
		return uint(m.Slot) < uint(other.Slot) // -1 is the last
	case m.Replacement != other.Replacement:
		return other.Replacement
	}
	return m.Number < other.Number
}

// leftOut returns why a device is not used, empty if it is. Apart means that it and the freshest
// member do not have each other as members: each was used without the other.
//
// The kernel takes a member whose events are one behind (super_1_validate), as a crash between two
// writes of superblocks leaves it. Linux before 6.8 does not look at what the freshest one has of
// it, and takes one with old data for whole; so that is looked at here.
func (a *Array) leftOut(f *Found) (why string, apart bool) {
	s, fresh, slot := &f.Superblock, a.fresh, f.Superblock.slot(f.Superblock.Number)
	switch {
	case s.Level != fresh.Level || s.Layout != fresh.Layout || s.ChunkSectors != fresh.ChunkSectors || s.Minor != fresh.Minor:
		return "the array was changed without it", false // super_1_load compares them
	case s.Role(s.Number) == RoleFaulty:
		return "it is marked as faulty", false
	case slot >= 0 && fresh.slot(s.Number) != slot:
		return "the array went on without it", s.slot(fresh.Number) != fresh.slot(fresh.Number)
	case slot >= 0 && s.Events+1 < fresh.Events:
		return fmt.Sprintf("it is out of date: %d events, the array has %d", s.Events, fresh.Events), false
	case fresh.Role(s.Number) == RoleFaulty:
		return "the array has it as faulty", false
	}
	return "", false
}

// take adds a member in its place of the order, behind the first one.
func (a *Array) take(m Member) {
	a.Members = append(a.Members, m)
	for i := len(a.Members) - 1; i > 1 && a.Members[i].before(&a.Members[i-1]); i-- {
		a.Members[i], a.Members[i-1] = a.Members[i-1], a.Members[i]
	}
}

// leave adds a device to those that are not used.
func (a *Array) leave(l Left) {
	a.Left = append(a.Left, l)
	for i := len(a.Left) - 1; i > 0 && a.Left[i].Number < a.Left[i-1].Number; i-- {
		a.Left[i], a.Left[i-1] = a.Left[i-1], a.Left[i]
	}
}

// twice names the places of a member that is seen more than once: a copy of its disk, or two ways
// to one disk.
func (a *Array) twice(found []*Found) []error {
	var out []error
	seen := map[UUID]bool{}
	for i, f := range found {
		id := f.Superblock.Device
		if seen[id] {
			continue
		}
		seen[id] = true
		places := []string{f.Place}
		for _, other := range found[i+1:] {
			if other.Superblock.Device == id {
				places = append(places, other.Place)
			}
		}
		if len(places) > 1 {
			out = append(out, fmt.Errorf("array %s: the member %s is on %s: keep all but one of them away", a.title(), id, strings.Join(places, " and on ")))
		}
	}
	return out
}

// sameSlot names members that claim one slot, which only their superblocks' own damage can do.
func (a *Array) sameSlot() []error {
	var out []error
	for i := range a.Members {
		m := &a.Members[i]
		for j := range i {
			other := &a.Members[j]
			if m.Slot >= 0 && m.Slot == other.Slot && m.Replacement == other.Replacement && m.Device != other.Device {
				out = append(out, fmt.Errorf("array %s: %s and %s are both in slot %d: keep one of them away", a.title(), other.Place, m.Place, m.Slot))
			}
		}
	}
	return out
}
