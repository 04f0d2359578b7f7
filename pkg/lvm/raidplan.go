package lvm

import (
	"sort"

	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
)

// raid makes a raid on its legs (lib/raid/raid.c: _raid_add_target_line). A leg that is not there
// has no devices; where a raid may not or cannot do without it, its PVs are missing.
func (p *planner) raid(lv *LV, t *Raid) (*line, error) {
	present, lacking := p.legs(t)
	enough := t.enough(present)
	if len(lacking) == 0 && !enough {
		return nil, p.unsupported(lv, "too many of its legs are split off")
	}
	for _, pv := range lacking {
		if !p.degraded || !enough {
			p.lack(pv, enough)
		}
	}
	l := &line{}
	for i, leg := range t.Legs {
		if !present[i] {
			continue
		}
		for _, name := range leg.lvs() {
			ref, err := p.add(p.lvs[name], "")
			if err != nil {
				return l, err
			}
			l.refs = append(l.refs, ref)
		}
	}
	raid := p.raidTarget(t)
	l.target = func(devs []table.Number) table.Target {
		out := raid
		out.Legs = make([]table.Leg, len(t.Legs))
		for i, leg := range t.Legs {
			if !present[i] {
				continue
			}
			if leg.Meta != "" {
				out.Legs[i].Meta, devs = &devs[0], devs[1:]
			}
			out.Legs[i].Data, devs = &devs[0], devs[1:]
		}
		return &out
	}
	return l, nil
}

// lvs are the leg's LVs, in the order of the table.
func (l Leg) lvs() []string {
	if l.Meta == "" {
		return []string{l.Data}
	}
	return []string{l.Meta, l.Data}
}

// legs reports which of the legs are there, and the PVs that the others need. A leg that can be
// seen and is not writable was split off (lvconvert --splitmirrors --trackchanges): the raid has to
// note what is written without it.
func (p *planner) legs(t *Raid) (present []bool, lacking []*PhysicalVolume) {
	for _, leg := range t.Legs {
		before := len(lacking)
		for _, name := range leg.lvs() {
			lacking = append(lacking, p.lackingOf(p.lvs[name])...)
		}
		data := p.lvs[leg.Data]
		present = append(present, len(lacking) == before && (data.Hidden() || data.writable()))
	}
	return present, lacking
}

// lackingOf returns the PVs that an LV would need and that are not there, each once. What stands on
// itself add refuses.
func (p *planner) lackingOf(lv *LV) []*PhysicalVolume {
	if out, known := p.lacking[lv.Name]; known || p.assumed {
		return out
	}
	p.lacking[lv.Name] = nil
	var out []*PhysicalVolume
	for _, s := range lv.Segments {
		if t, ok := s.Type.(*Striped); ok {
			for _, a := range t.Areas {
				if a.PV != "" && p.lacks(p.pvs[a.PV]) {
					out = append(out, p.pvs[a.PV])
				}
			}
		}
		for _, name := range s.Type.names() {
			out = append(out, p.lackingOf(p.lvs[name])...)
		}
	}
	sort.Sort(byName(out))
	n := 0
	for _, pv := range out {
		if n == 0 || out[n-1] != pv {
			out[n] = pv
			n++
		}
	}
	p.lacking[lv.Name] = out[:n]
	return out[:n]
}

// byName sorts PVs by their names, of which each is there once.
type byName []*PhysicalVolume

func (b byName) Len() int           { return len(b) }
func (b byName) Less(i, j int) bool { return b[i].Name < b[j].Name }
func (b byName) Swap(i, j int)      { b[i], b[j] = b[j], b[i] }

// raidTarget is the target without its legs. After the raid was made lvm2 gives neither "sync" nor
// "nosync": the superblocks tell.
func (p *planner) raidTarget(t *Raid) table.Raid {
	out := table.Raid{
		Level:           t.Level,
		ChunkSectors:    t.StripeSectors,
		RegionSectors:   uint64(t.RegionSectors),
		MinRecoveryRate: t.MinRecoveryRate,
		MaxRecoveryRate: t.MaxRecoveryRate,
		Copies:          int(t.Copies),
	}
	if t.Level == "raid1" {
		out.MaxWriteBehind = t.WriteBehind
	}
	for i, leg := range t.Legs {
		data := p.lvs[leg.Data]
		if t.Level != "raid0" && data.has("REBUILD") {
			out.Rebuild = append(out.Rebuild, i)
		}
		if t.Level == "raid1" && data.has("WRITEMOSTLY") {
			out.WriteMostly = append(out.WriteMostly, i)
		}
	}
	return out
}
