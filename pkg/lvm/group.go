package lvm

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Found is a PV and where it is: the name of a device, for a person.
type Found struct {
	Place string
	PV    PV
}

// Group is a VG, and what there is of it.
type Group struct {
	VG      *VG
	Found   map[ID]Found     // its PVs that are at hand
	Missing []PhysicalVolume // those that are not; an LV may do without them

	// Conflict is why none of its LVs can be used: two PVs with one id, or copies of the
	// metadata that contradict each other.
	Conflict error
}

// Assemble makes groups of PVs, in the order of their names. Of the copies of a VG's metadata that
// with the highest seqno counts, as in lvm2. The problems are those of all: a group has its own in
// Conflict as well.
func Assemble(found []Found) ([]Group, []error) {
	var problems []error
	byID := map[ID][]*Found{}
	copies := map[ID][]placedCopy{}
	for i := range found {
		f := &found[i]
		byID[f.PV.ID] = append(byID[f.PV.ID], f)
		for _, err := range f.PV.Damaged {
			problems = append(problems, fmt.Errorf("lvm on %s: %w", f.Place, err))
		}
		for _, c := range f.PV.Copies {
			copies[c.VG.ID] = append(copies[c.VG.ID], placedCopy{f.Place, c.VG})
		}
	}
	var sorted []*Group
	for _, c := range copies {
		sorted = append(sorted, makeGroup(c, byID))
		for i := len(sorted) - 1; i > 0 && sorted[i].VG.before(sorted[i-1].VG); i-- {
			sorted[i], sorted[i-1] = sorted[i-1], sorted[i]
		}
	}
	var groups []Group
	for _, g := range sorted {
		groups = append(groups, *g)
		if g.Conflict != nil {
			problems = append(problems, g.Conflict)
		}
	}
	return groups, append(problems, outdated(groups, found)...)
}

// before is the order of groups. No slices.SortFunc: each type of elements that it sorts adds 20 KB
// to init.
func (vg *VG) before(other *VG) bool {
	return vg.Name < other.Name || vg.Name == other.Name && vg.ID < other.ID
}

// placedCopy is a text of metadata and the place of its PV.
type placedCopy struct {
	place string
	vg    *VG
}

func makeGroup(copies []placedCopy, byID map[ID][]*Found) *Group {
	best := copies[0]
	for _, c := range copies {
		if c.vg.Seqno > best.vg.Seqno {
			best = c
		}
	}
	g := &Group{VG: best.vg, Found: map[ID]Found{}}
	var conflicts []error
	for _, c := range copies {
		if c.vg.Seqno == best.vg.Seqno && !reflect.DeepEqual(c.vg, best.vg) {
			conflicts = append(conflicts, fmt.Errorf("volume group %s: the metadata on %s and on %s differ with the same seqno %d: keep one of the two away", g.VG.Name, best.place, c.place, best.vg.Seqno))
			break
		}
	}
	for i := range g.VG.PVs {
		p := &g.VG.PVs[i]
		switch at := byID[p.ID]; len(at) {
		case 0:
			g.Missing = append(g.Missing, *p)
		case 1:
			g.Found[p.ID] = *at[0]
		default:
			var places []string
			for _, f := range at {
				places = append(places, f.Place)
			}
			conflicts = append(conflicts, fmt.Errorf("volume group %s: the physical volume %s is on %s: keep all but one of them away", g.VG.Name, p.ID, strings.Join(places, " and on ")))
		}
	}
	g.Conflict = errors.Join(conflicts...)
	return g
}

// outdated names PVs that left their VG while they were away: the VG's newer metadata do not have
// them.
func outdated(groups []Group, found []Found) []error {
	var problems []error
	for i := range found {
		f := &found[i]
		for j := range groups {
			vg, old := groups[j].VG, false
			for _, c := range f.PV.Copies {
				old = old || c.VG.ID == vg.ID
			}
			if old && !vg.has(f.PV.ID) {
				problems = append(problems, fmt.Errorf("lvm on %s: volume group %s no longer has this physical volume: it is not used", f.Place, vg.Name))
			}
		}
	}
	return problems
}

// has reports whether a PV belongs to the VG.
func (vg *VG) has(id ID) bool {
	for i := range vg.PVs {
		if vg.PVs[i].ID == id {
			return true
		}
	}
	return false
}

// ErrNotFound is the cause where no VG or LV has the name: a disk may not be there yet.
var ErrNotFound = errors.New("not found")

// Find returns the VG of a name or an id. Two VGs with one name can be told apart by their ids
// only.
func Find(groups []Group, nameOrID string) (*Group, error) {
	id, _ := ParseID(nameOrID)
	var out []*Group
	for i := range groups {
		g := &groups[i]
		if id != "" && g.VG.ID == id {
			return g, nil
		}
		if g.VG.Name == nameOrID {
			out = append(out, g)
		}
	}
	switch len(out) {
	case 0:
		return nil, fmt.Errorf("volume group %s: %w", nameOrID, ErrNotFound)
	case 1:
		return out[0], nil
	}
	return nil, fmt.Errorf("volume group %s: two have this name, %s on %s and %s on %s: rename one of them, or keep it away",
		nameOrID, out[0].VG.ID, out[0].places(), out[1].VG.ID, out[1].places())
}

// places lists where the group's PVs are.
func (g *Group) places() string {
	var out []string
	for _, f := range g.Found {
		out = append(out, f.Place)
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}
