package mirrors

import (
	"fmt"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/md"
)

// former is a device that was a member of an array.
type former struct {
	device *blockdev.Device
	sb     md.Superblock
}

// same reports whether two devices are the same member: one is a copy of the other, or a second
// path to it.
func (f former) same(other former) bool {
	return f.device.Name != other.device.Name && f.sb.Set == other.sb.Set && f.sb.Device == other.sb.Device
}

// rival returns the name of another device that has a former member's place; empty: there is none.
func (f former) rival(all []former) string {
	slot := f.sb.Role(f.sb.Number)
	for _, other := range all {
		if slot != md.RoleSpare && f.device.Name != other.device.Name && other.sb.Role(other.sb.Number) == slot {
			return other.device.Name
		}
	}
	return ""
}

// unique leaves out each member that is there twice: which of the two has the data that belongs to
// the array's bitmap is not known. The errors name both, each pair once.
func unique(name string, all []former) (out []former, errs []error) {
	for i, f := range all {
		twice := false
		for n, other := range all {
			if !f.same(other) {
				continue
			}
			if twice = true; n > i {
				errs = append(errs, fmt.Errorf("array %s: %s and %s are the same member: neither is taken back: keep one of them away", name, f.device.Name, other.device.Name))
			}
		}
		if !twice {
			out = append(out, f)
		}
	}
	return out, errs
}
