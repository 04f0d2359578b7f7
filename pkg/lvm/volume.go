package lvm

import (
	"fmt"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
)

// maxLayers limits how many LVs stand on each other. lvm2 itself makes about five.
const maxLayers = 16

// add makes the device of an LV, or of a layer of it, after those that it needs.
func (p *planner) add(lv *LV, layer string) (Ref, error) {
	name := DMName(p.vg.Name, lv.Name, layer)
	ref := Ref{Volume: name}
	if made, there := p.made[name]; there && made {
		return ref, nil
	} else if there || p.making > maxLayers {
		return ref, p.unsupported(lv, "it stands on itself, or on too many others")
	}
	if len(name) > MaxDMName {
		return ref, p.unsupported(lv, "its name is too long for the kernel")
	}
	if err := p.usable(lv); err != nil {
		return ref, err
	}
	p.made[name] = false
	p.making++
	v, err := p.volume(lv, layer)
	p.making--
	if err != nil {
		return ref, err
	}
	p.made[name] = true
	p.out = append(p.out, *v)
	return ref, nil
}

// usable returns why an LV is refused, whatever its segments are.
func (p *planner) usable(lv *LV) error {
	unknown, role := lv.unknownStatus(), p.roles[lv.Name]
	switch {
	case unknown != "":
		return p.unsupported(lv, "its status "+clip(unknown)+" is not known")
	case lv.has("LOCKED") || lv.has("PVMOVE"):
		return p.unsupported(lv, "its extents are being moved: finish it with pvmove(8)")
	case role.snapshot != "":
		return p.unsupported(lv, role.snapshot)
	case len(lv.Segments) == 0:
		return p.unsupported(lv, "it has no segments")
	}
	return nil
}

// volume is a device with its table (lib/activate/dev_manager.c: _add_new_lv_to_dtree).
func (p *planner) volume(lv *LV, layer string) (*Volume, error) {
	r := p.roles[lv.Name]
	v := &Volume{
		Name:    DMName(p.vg.Name, lv.Name, layer),
		UUID:    DMUUID(p.vg.ID, lv.ID, uuidSuffix(r, layer)),
		Hidden:  lv.Hidden() || layer != "",
		Minor:   -1,
		Sectors: p.sectors(lv.Extents()),
		// lvm2 keeps the legs of raids writable (dev_manager.c: read_only_lv).
		ReadOnly: !lv.writable() && !r.leg,
	}
	if layer == "" {
		v.Minor = lv.Minor
	}
	if r.external && layer == "" {
		below, err := p.add(lv, layerReal)
		v.lines = []*line{{0, v.Sectors, []Ref{below}, linear(0)}}
		return v, err
	}
	for _, s := range lv.Segments {
		l, err := p.line(v, lv, s)
		if err != nil {
			return v, err
		}
		l.start, l.length = p.sectors(uint64(s.Start)), p.sectors(uint64(s.Extents))
		v.lines = append(v.lines, l)
	}
	return v, nil
}

// uuidSuffix is what lvm2 puts behind the UUID of a device (lib/misc/lvm-string.c: build_dm_uuid).
// Since 2.03.36 it has "real" for the legs of a raid as well, which older ones do not know; newer
// ones find a device without it (dev_manager.c: _info), so it is left out.
func uuidSuffix(r *role, layer string) string {
	switch {
	case layer != "":
		return layer
	case r.data:
		return "tdata"
	case r.meta:
		return "tmeta"
	}
	return ""
}

// line makes a segment's range, without its place.
func (p *planner) line(v *Volume, lv *LV, s Segment) (*line, error) {
	switch t := s.Type.(type) {
	case *Striped:
		return p.striped(t, s)
	case *Raid:
		v.modules("dm_raid", personality(t.Level))
		return p.raid(lv, t)
	case *ThinPool:
		v.modules("dm_thin_pool")
		v.Pool = &Pool{Name: p.vg.Name + "/" + lv.Name, TransactionID: t.TransactionID, Pending: t.Pending}
		return p.thinPool(lv, t)
	case *Thin:
		v.modules("dm_thin_pool")
		return p.thin(lv, t)
	case *Unsupported:
		return nil, p.unsupported(lv, fmt.Sprintf("segment type %q", clip(t.Name)))
	}
	panic(fmt.Sprintf("lvm: segment type %T", s.Type))
}

func (v *Volume) modules(names ...string) {
	for _, n := range names {
		if !slices.Contains(v.Modules, n) {
			v.Modules = append(v.Modules, n)
		}
	}
}

// personality is the module of md that a level needs. They measure checksums when they are loaded,
// which takes time: raid456 above all.
func personality(level string) string {
	if strings.HasPrefix(level, "raid4") || strings.HasPrefix(level, "raid5") || strings.HasPrefix(level, "raid6") {
		return "raid456"
	}
	return level
}

func linear(offset uint64) func([]table.Number) table.Target {
	return func(devs []table.Number) table.Target { return table.Linear{Dev: devs[0], Offset: offset} }
}

// striped is a linear range, or stripes.
func (p *planner) striped(t *Striped, s Segment) (*line, error) {
	l := &line{}
	var offsets []uint64
	for _, a := range t.Areas {
		ref, offset, err := p.area(a, uint64(s.Extents)/uint64(len(t.Areas)))
		if err != nil {
			return l, err
		}
		l.refs = append(l.refs, ref)
		offsets = append(offsets, offset)
	}
	if len(offsets) == 1 {
		l.target = linear(offsets[0])
		return l, nil
	}
	l.target = func(devs []table.Number) table.Target {
		out := table.Striped{Chunk: t.StripeSectors}
		for i, d := range devs {
			out.Stripes = append(out.Stripes, table.Area{Dev: d, Offset: offsets[i]})
		}
		return out
	}
	return l, nil
}

// area returns a device and the sector on it.
func (p *planner) area(a *Area, extents uint64) (Ref, uint64, error) {
	offset := p.sectors(uint64(a.Extent))
	if a.LV != "" {
		ref, err := p.add(p.lvs[a.LV], "")
		return ref, offset, err
	}
	pv := p.pvs[a.PV]
	offset += pv.StartSectors
	if p.lacks(pv) {
		p.lack(pv, false)
	} else if f := p.found[pv.ID]; !p.assumed && (offset+p.sectors(extents))*sectorSize > uint64(f.PV.Device) {
		return Ref{}, 0, fmt.Errorf("volume group %s: physical volume %s on %s has %d bytes, less than its extents: is it whole?", p.vg.Name, pv.ID, f.Place, f.PV.Device)
	}
	return Ref{PV: pv.ID}, offset, nil
}
