package legs

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
	"github.com/iscsiroot/iscsiroot/pkg/lvm"
)

// under returns the devices of a leg, the lowest first.
func (r *raid) under(i int) (out []*device) {
	needed := map[string]bool{r.legs[i].meta.Name: true, r.legs[i].data.Name: true}
	for _, d := range slices.Backward(r.below) {
		if needed[d.Name] {
			out = append(out, d)
			for _, ref := range d.Refs() {
				needed[ref.Volume] = true
			}
		}
	}
	slices.Reverse(out)
	return out
}

// returns reports whether a leg is to be taken back: it is not in use, or it stands on disks that
// have gone, and its physical volumes are there.
func (s *scan) returns(r *raid, i int) (bool, error) {
	out := failed(r.status.Health[i])
	if r.legs[i].data == nil {
		if out {
			return false, s.givenUp(r.group)
		}
		return false, nil
	}
	used := r.target.Legs[i]
	for _, d := range r.under(i) {
		if !d.there {
			out = true
			continue
		}
		moved, err := s.moved(d)
		if err != nil {
			return false, err
		}
		out = out || moved
	}
	if !out {
		return false, nil
	}
	if used.Data != nil && (used.Meta == nil || *used.Data != r.legs[i].data.info.Number || *used.Meta != r.legs[i].meta.info.Number) {
		return false, errLayout
	}
	return true, errors.Join(s.current(r.group, r.under(i)), s.partOf(r, i))
}

// givenUp is why a leg whose physical volumes are there is not part of the plan.
func (s *scan) givenUp(g *lvm.Group) error {
	for _, pv := range g.VG.PVs {
		if f, there := g.Found[pv.ID]; there && slices.Contains(pv.Status, "MISSING") {
			return fmt.Errorf("lvm has changed the volume group without the physical volume on %s: vgextend --restoremissing %s /dev/%s, then lvchange --refresh", f.Place, g.VG.Name, f.Place)
		}
	}
	return nil // it is not there
}

// current returns an error if the metadata on the physical volumes of devices are older than the
// group's: lvm2 has changed the group without them.
func (s *scan) current(g *lvm.Group, devices []*device) error {
	for _, d := range devices {
		for _, ref := range d.Refs() {
			f := g.Found[ref.PV] // none for a volume
			for _, c := range f.PV.Copies {
				if c.VG.Seqno != g.VG.Seqno {
					return fmt.Errorf("lvm has changed the volume group without the physical volume on %s: vgck --updatemetadata %s, then lvchange --refresh", f.Place, g.VG.Name)
				}
			}
		}
	}
	return nil
}

// partOf compares a leg's superblock with that of a leg in use. The kernel compares them only when
// it makes a raid anew, and takes any leg for one that lacks no more than the bitmap has noted.
func (s *scan) partOf(r *raid, i int) error {
	rebuild := func(what string) error {
		return fmt.Errorf("%s: lvchange --rebuild writes it anew from the others", what)
	}
	own, err := s.superblock(r.legs[i].meta.want)
	switch {
	case errors.Is(err, table.ErrNoSuperblock):
		return rebuild(err.Error())
	case err != nil:
		return fmt.Errorf("read its superblock: %w", err)
	case int(own.Legs) != len(r.legs) || int(own.Leg) != i:
		return rebuild(fmt.Sprintf("its superblock is that of leg %d of %d", own.Leg, own.Legs))
	}
	for j, l := range r.legs {
		if j == i || r.status.Health[j] != 'A' || l.meta == nil {
			continue
		}
		good, err := s.superblock(l.meta.want)
		switch {
		case err != nil:
			return fmt.Errorf("read the superblock of leg %d: %w", j, err)
		case own.Failed(j) || own.Events > good.Events:
			return rebuild(fmt.Sprintf("it was in use without leg %d", j))
		case !failed(r.status.Health[i]) && own.Events != good.Events:
			return fmt.Errorf("its superblock is not that of leg %d: %w", j, unix.EWOULDBLOCK)
		}
		r.unnoted = r.unnoted || r.status.Health[i] == '-' && !good.Failed(i)
		return nil
	}
	if failed(r.status.Health[i]) {
		return errors.New("none of the legs in use can be read")
	}
	return nil // the last one: it counts
}
