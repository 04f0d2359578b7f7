package lvm

import (
	"fmt"
	"slices"

	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
)

// Options are what Plan has to know beside the metadata.
type Options struct {
	// Degraded permits raids whose missing legs they can do without.
	Degraded bool
	// SystemID is the one of this host; a VG that has another one belongs to another host.
	SystemID string
}

// Ref is a device that a table needs: a PV by its id, or a Volume by its name.
type Ref struct {
	PV     ID
	Volume string
	// OnlyRead: the target does not write to it, so that it may be read-only where the device
	// is not.
	OnlyRead bool
}

// Volume is a dm device that has to be made for an LV.
type Volume struct {
	Name, UUID string
	Hidden     bool // a part of the LV, which udev is to leave alone
	ReadOnly   bool
	Minor      int // that the device shall have, -1: any
	Sectors    uint64
	Modules    []string // of the kernel, beside dm_mod: "dm_raid", "raid1"
	Pool       *Pool    // of a thin pool: to be checked before anything is made of it
	lines      []*line
}

// line is a range of the device. The target gets the numbers of refs, in their order.
type line struct {
	start, length uint64
	refs          []Ref
	target        func([]table.Number) table.Target
}

// Refs are the devices that the table needs, each once.
func (v *Volume) Refs() []Ref {
	var out []Ref
	for _, l := range v.lines {
		for _, r := range l.refs {
			if !slices.Contains(out, r) {
				out = append(out, r)
			}
		}
	}
	return out
}

// Table returns the device's table. The function returns the number of a device, false if it is not
// there.
func (v *Volume) Table(number func(Ref) (table.Number, bool)) (table.Table, error) {
	var out table.Table
	for _, l := range v.lines {
		var devs []table.Number
		for _, r := range l.refs {
			n, ok := number(r)
			if !ok {
				return nil, fmt.Errorf("table of %s: %s%s is not there", v.Name, r.PV, r.Volume)
			}
			devs = append(devs, n)
		}
		out = append(out, table.Line{Start: l.start, Length: l.length, Target: l.target(devs)})
	}
	if err := out.Validate(); err != nil {
		return nil, fmt.Errorf("table of %s: %w", v.Name, err)
	}
	return out, nil
}

// Plan returns what has to be made for an LV of this name, and for nothing else, lower devices
// first. The error is an *UnsupportedError if the LV cannot be activated here, a *MissingError if
// PVs are not there, or wraps ErrNotFound.
func (g *Group) Plan(name string, o Options) ([]Volume, error) {
	if g.Conflict != nil {
		return nil, g.Conflict
	}
	if err := g.VG.refused(o.SystemID); err != nil {
		return nil, err
	}
	lv, ok := g.VG.LV(name)
	if !ok {
		return nil, fmt.Errorf("logical volume %s/%s: %w", g.VG.Name, clip(name), ErrNotFound)
	}
	p := newIndex(g.VG).planner()
	p.found, p.degraded = g.Found, o.Degraded
	return p.plan(lv)
}

// Candidates are the LVs that may hold a file system of root, in the order of the metadata: those
// which Plan knows how to make, that are no part of others, and that lvm2 activates without an
// option (lvchange --setactivationskip).
func (vg *VG) Candidates(o Options) []*LV {
	if vg.refused(o.SystemID) != nil {
		return nil
	}
	var out []*LV
	ix := newIndex(vg)
	for i := range vg.LVs {
		l := &vg.LVs[i]
		p := ix.planner()
		p.assumed = true
		if _, err := p.plan(l); err == nil && !l.has("ACTIVATION_SKIP") {
			out = append(out, l)
		}
	}
	return out
}

// planner collects the devices of one LV.
type planner struct {
	*index
	found    map[ID]Found
	degraded bool
	assumed  bool // all PVs are there

	out     []Volume
	made    map[string]bool // the names of out, false while one is being made
	making  int
	lacking map[string][]*PhysicalVolume // what lackingOf has found out
	missing *MissingError
}

func (p *planner) plan(lv *LV) ([]Volume, error) {
	r := p.roles[lv.Name]
	if r.snapshot != "" {
		return nil, p.unsupported(lv, r.snapshot)
	}
	if lv.Hidden() || r.leg || r.data || r.meta {
		return nil, p.unsupported(lv, "it is a part of another LV")
	}
	for _, s := range lv.Segments {
		if isPool(s) {
			return nil, p.unsupported(lv, "it is a thin pool, not a device")
		}
	}
	if _, err := p.add(lv, ""); err != nil {
		return nil, err
	}
	if p.missing != nil {
		p.missing.VG, p.missing.LV = p.vg.Name, lv.Name
		return nil, p.missing
	}
	return p.out, nil
}
