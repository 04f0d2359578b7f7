package lvm

// index finds what a VG has by its name.
type index struct {
	vg    *VG
	lvs   map[string]*LV
	pvs   map[ID]*PhysicalVolume
	roles map[string]*role // of each LV
}

// role is what other LVs make of one.
type role struct {
	leg, data, meta bool   // of a raid, of a thin pool
	external        bool   // an origin outside of the pool of a thin LV
	snapshot        string // why the LV alone is not what it seems
}

func newIndex(vg *VG) *index {
	ix := &index{vg, map[string]*LV{}, map[ID]*PhysicalVolume{}, map[string]*role{}}
	for i := range vg.PVs {
		ix.pvs[vg.PVs[i].ID] = &vg.PVs[i]
	}
	for i := range vg.LVs {
		l := &vg.LVs[i]
		ix.lvs[l.Name], ix.roles[l.Name] = l, &role{}
	}
	for i := range vg.LVs {
		for _, s := range vg.LVs[i].Segments {
			ix.addRoles(s)
		}
	}
	return ix
}

// addRoles: Parse has looked that the LVs which a segment names are there, but those of a merge.
func (ix *index) addRoles(s Segment) {
	switch t := s.Type.(type) {
	case *Raid:
		for _, name := range t.names() {
			ix.roles[name].leg = true
		}
	case *ThinPool:
		ix.roles[t.Data].data = true
		ix.roles[t.Meta].meta = true
	case *Thin:
		if r := ix.roles[t.External]; r != nil {
			r.external = true
		}
		if r := ix.roles[t.Merge]; r != nil {
			r.snapshot = "a snapshot is to be merged into it"
		}
	case *Unsupported:
		for _, name := range t.Uses {
			ix.roles[name].snapshot = "it has a snapshot, or is one"
		}
	}
}

func (ix *index) planner() *planner {
	return &planner{index: ix, made: map[string]bool{}, lacking: map[string][]*PhysicalVolume{}}
}

func (ix *index) sectors(extents uint64) uint64 { return extents * uint64(ix.vg.ExtentSectors) }
