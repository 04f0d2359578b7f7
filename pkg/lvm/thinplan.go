package lvm

import "github.com/iscsiroot/iscsiroot/pkg/dm/table"

// thinPool makes a pool on its metadata and data (lib/thin/thin.c: _thin_pool_add_target_line). The
// kernel sends no event before the pool is full, as with lvm2's default for
// activation/thin_pool_autoextend_threshold.
func (p *planner) thinPool(lv *LV, t *ThinPool) (*line, error) {
	const maxMetadata = 255 * (1 << 14) * 8 // drivers/md/dm-thin-metadata.h: THIN_METADATA_MAX_SECTORS
	if t.Crop && p.sectors(p.lvs[t.Meta].Extents()) > maxMetadata {
		return nil, p.unsupported(lv, "its metadata are larger than the kernel can use")
	}
	meta, err := p.add(p.lvs[t.Meta], "")
	if err != nil {
		return nil, err
	}
	data, err := p.add(p.lvs[t.Data], "")
	if err != nil {
		return nil, err
	}
	target := table.ThinPool{
		BlockSectors:      t.ChunkSectors,
		SkipZeroing:       !t.Zero,
		IgnoreDiscard:     t.Discards == "" || t.Discards == "ignore",
		NoDiscardPassdown: t.Discards == "nopassdown",
		ErrorIfNoSpace:    lv.has("ERROR_WHEN_FULL"),
	}
	return &line{refs: []Ref{meta, data}, target: func(devs []table.Number) table.Target {
		out := target
		out.Meta, out.Data = devs[0], devs[1]
		return &out
	}}, nil
}

// thin makes a device of a pool, which is made by its layer.
func (p *planner) thin(lv *LV, t *Thin) (*line, error) {
	pool := p.lvs[t.Pool]
	if s := pool.Segments; len(s) != 1 || !isPool(s[0]) {
		return nil, p.unsupported(lv, pool.Name+" is not a thin pool")
	}
	if t.Merge != "" {
		return nil, p.unsupported(lv, "it is to be merged into "+t.Merge)
	}
	ref, err := p.add(pool, layerPool)
	if err != nil {
		return nil, err
	}
	l := &line{refs: []Ref{ref}}
	if t.External != "" {
		origin, err := p.add(p.lvs[t.External], layerReal)
		if err != nil {
			return nil, err
		}
		origin.OnlyRead = true // drivers/md/dm-thin.c: thin_ctr
		l.refs = append(l.refs, origin)
	}
	l.target = func(devs []table.Number) table.Target {
		out := table.Thin{Pool: devs[0], ID: t.DeviceID}
		if len(devs) > 1 {
			out.Origin = &devs[1]
		}
		return out
	}
	return l, nil
}

func isPool(s Segment) bool {
	_, ok := s.Type.(*ThinPool)
	return ok
}
