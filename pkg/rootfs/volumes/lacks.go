package volumes

import (
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/lvm"
)

// Lacks returns the physical volumes of a volume's group that were not found and that the volume
// does not need, and the group's name; none for the assembly of another layer.
func Lacks(a blockdev.Assembly) (group string, lacks []lvm.PhysicalVolume) {
	p, ok := a.Plan.(*assembly)
	if !ok {
		return "", nil
	}
	group, _, _ = strings.Cut(p.name, "/")
	return group, p.lacks
}

// Complete adds to the members of volumes the devices on which the physical volumes are that they
// lack, and returns those.
func (l *Layer) Complete(active []*blockdev.Assembly, devices []*blockdev.Device) (added []*blockdev.Device) {
	l.places = map[lvm.ID]*blockdev.Device{}
	l.labels(devices)
	for _, a := range active {
		p, ok := a.Plan.(*assembly)
		if !ok {
			continue
		}
		p.lacks = slices.DeleteFunc(slices.Clone(p.lacks), func(pv lvm.PhysicalVolume) bool {
			d := l.places[pv.ID]
			if d == nil {
				return false
			}
			a.Members = append(a.Members, d)
			if !d.In(added) {
				added = append(added, d)
			}
			return true
		})
	}
	return added
}
