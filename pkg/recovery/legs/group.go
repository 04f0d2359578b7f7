package legs

import (
	"errors"
	"fmt"
	"slices"

	"github.com/iscsiroot/iscsiroot/pkg/dm"
	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
	"github.com/iscsiroot/iscsiroot/pkg/lvm"
)

// raid is a raid in the kernel.
type raid struct {
	*device
	group  *lvm.Group
	below  []*device // the lowest first
	target *table.Raid
	status table.RaidStatus
	legs   []leg
	back   []int // the legs that can be taken back
	// unnoted is set if a leg that is missing in the table is not a failed one yet in the
	// superblocks of the others.
	unnoted bool
}

// leg has the devices that the metadata give it; both are nil if physical volumes of it are not
// there.
type leg struct{ meta, data *device }

// back returns the raids of a volume group that are active and have legs to take back. The error is
// of raids that lack a leg and cannot have it now.
func (s *scan) back(g *lvm.Group) (out []*raid, err error) {
	var errs []error
	seen := map[string]bool{}
	for i := range g.VG.LVs {
		lv := &g.VG.LVs[i]
		if lv.Hidden() || !s.active(g.VG.Name, lv.Name) {
			continue
		}
		plan, err := g.Plan(lv.Name, lvm.Options{Degraded: true})
		if err != nil && s.lacksLeg(g.VG) {
			errs = append(errs, s.later(err))
		}
		for _, v := range plan {
			if seen[v.Name] || !slices.Contains(v.Modules, "dm_raid") {
				continue
			}
			seen[v.Name] = true
			r, err := s.look(g, plan, v.Name)
			if err != nil {
				errs = append(errs, s.later(fmt.Errorf("raid %s: %w", v.Name, err)))
			} else if len(r.back) > 0 {
				out = append(out, r)
			}
		}
	}
	return out, errors.Join(errs...)
}

func (s *scan) active(vg, lv string) bool {
	info, err := s.m.Info(dm.Mangle(lvm.DMName(vg, lv, "")))
	return err == nil && info.Active
}

// lacksLeg reports whether one of a group's raids has a failed or missing leg in the kernel.
func (s *scan) lacksLeg(vg *lvm.VG) bool {
	for i := range vg.LVs {
		for _, part := range vg.LVs[i].Segments {
			if _, ok := part.Type.(*lvm.Raid); !ok {
				continue
			}
			status, err := s.status(dm.Mangle(lvm.DMName(vg.Name, vg.LVs[i].Name, "")))
			if err == nil && slices.ContainsFunc([]byte(status.Health), failed) {
				return true
			}
		}
	}
	return false
}

// failed reports whether a leg is not in use, by its character in the status.
func failed(c byte) bool { return c == 'D' || c == '-' }

func (s *scan) status(name string) (table.RaidStatus, error) {
	lines, err := s.m.Status(name)
	if err != nil {
		return table.RaidStatus{}, err
	}
	if len(lines) != 1 || lines[0].Type != "raid" {
		return table.RaidStatus{}, errLayout
	}
	return table.ParseRaidStatus(lines[0].Text)
}

// look finds out which legs of a raid can be taken back.
func (s *scan) look(g *lvm.Group, plan []lvm.Volume, name string) (*raid, error) {
	all, byNumber, err := s.below(plan, name)
	if err != nil {
		return nil, err
	}
	r := &raid{group: g, device: all[len(all)-1], below: all[:len(all)-1]}
	if !r.there || len(r.now) != 1 || len(r.want) != 1 {
		return nil, errLayout
	}
	if r.status, err = s.status(r.name); err != nil {
		return nil, err
	}
	if !r.setLegs(byNumber) {
		return nil, errLayout
	}
	for i := range r.legs {
		back, err := s.returns(r, i)
		if err != nil {
			return nil, fmt.Errorf("leg %d: %w", i, err)
		}
		if back {
			r.back = append(r.back, i)
		}
	}
	return r, nil
}

// setLegs looks up the legs' devices. It is false if the table in the kernel is that of another
// raid. A raid0 has no legs that it could do without.
func (r *raid) setLegs(devices numbers) bool {
	now, ok := r.now[0].Target.(*table.Raid)
	want, ok2 := r.want[0].Target.(*table.Raid)
	if !ok || !ok2 || r.now[0].Length != r.want[0].Length || now.ChunkSectors != want.ChunkSectors ||
		len(now.Legs) != len(want.Legs) || len(r.status.Health) != len(want.Legs) {
		return false
	}
	r.target = now
	for _, l := range want.Legs {
		var one leg
		if l.Meta != nil && l.Data != nil {
			one = leg{devices[*l.Meta], devices[*l.Data]}
		}
		if now.Level != "raid0" {
			r.legs = append(r.legs, one)
		}
	}
	return true
}
