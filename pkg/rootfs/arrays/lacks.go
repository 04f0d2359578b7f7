package arrays

import (
	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/md"
)

// Lacks returns how many members of an array were not found, also those without which it runs, and
// the array's name; none for the assembly of another layer.
func Lacks(a blockdev.Assembly) (array string, lacks int) {
	p, ok := a.Plan.(*assembly)
	if !ok {
		return "", 0
	}
	return title(p.id), p.lacks
}

// Complete adds to the members of arrays the devices that are members of them too, and returns
// those. The arrays run already: the kernel gets none of the devices.
func (l *Layer) Complete(active []*blockdev.Assembly, devices []*blockdev.Device) (added []*blockdev.Device) {
	for _, f := range l.members(devices) {
		for _, a := range active {
			p, ok := a.Plan.(*assembly)
			if !ok || p.set != f.Superblock.Set {
				continue
			}
			for _, d := range devices {
				if d.Name != f.Place || d.In(a.Members) {
					continue
				}
				a.Members, added = append(a.Members, d), append(added, d)
				if f.Superblock.Role(f.Superblock.Number) != md.RoleFaulty {
					p.lacks = max(0, p.lacks-1)
				}
			}
		}
	}
	return added
}
