package lvm

// index finds what a VG has by its name.
type index struct {
	vg    *VG
	lvs   map[string]*LV
	pvs   map[ID]*PhysicalVolume
	roles map[string]role
}

// role is what other LVs make of one.
type role struct {
	leg, data, meta bool   // of a raid, of a thin pool
	external        bool   // an origin outside of the pool of a thin LV
	snapshot        string // why the LV alone is not what it seems
}

func newIndex(vg *VG) *index {
	ix := &index{vg, map[string]*LV{}, map[ID]*PhysicalVolume{}, map[string]role{}}
	for i := range vg.PVs {
		ix.pvs[vg.PVs[i].ID] = &vg.PVs[i]
	}
	for i := range vg.LVs {
		ix.lvs[vg.LVs[i].Name] = &vg.LVs[i]
		for _, s := range vg.LVs[i].Segments {
			ix.addRoles(s)
		}
	}
	return ix
}

func (ix *index) addRoles(s Segment) {
	set := func(name string, change func(*role)) {
		r := ix.roles[name]
		change(&r)
		ix.roles[name] = r
	}
	switch t := s.Type.(type) {
	case *Raid:
		for _, name := range t.names() {
			set(name, func(r *role) { r.leg = true })
		}
	case *ThinPool:
		set(t.Data, func(r *role) { r.data = true })
		set(t.Meta, func(r *role) { r.meta = true })
	case *Thin:
		set(t.External, func(r *role) { r.external = true })
		set(t.Merge, func(r *role) { r.snapshot = "a snapshot is to be merged into it" })
	case *Unsupported:
		for _, name := range t.Uses {
			set(name, func(r *role) { r.snapshot = "it has a snapshot, or is one" })
		}
	}
}

func (ix *index) planner() *planner {
	return &planner{index: ix, made: map[string]bool{}, lacking: map[string][]*PhysicalVolume{}}
}

func (ix *index) sectors(extents uint64) uint64 { return extents * uint64(ix.vg.ExtentSectors) }
