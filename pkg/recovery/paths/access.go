package paths

import (
	"slices"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/multipath"
	"github.com/iscsiroot/iscsiroot/pkg/recovery"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/maps"
)

// The kernel asks a target for the access states after the event of the unit attention, while a
// change goes on again and again, and sends no event when sysfs has the answer
// (drivers/scsi/device_handler/scsi_dh_alua.c: alua_rtpg_work). So they are read again.
const (
	accessSoon = 100 * time.Millisecond // after a unit attention: a target answers sooner
	accessLate = time.Second            // if it does not; and from one look to the next in a change
)

// accessChange returns when to look for changes of the access states.
func (k *Keeper) accessChange(all []maps.Map) time.Duration {
	next := recovery.SurveyEvery
	if slices.ContainsFunc(all, func(m maps.Map) bool {
		return slices.ContainsFunc(m.Paths, func(p maps.Path) bool { return p.Access == multipath.Transitional })
	}) {
		next = accessLate
	}
	k.mu.Lock()
	units := k.units
	k.mu.Unlock()
	if units.IsZero() {
		return next
	}
	for _, after := range []time.Duration{accessSoon, accessLate} {
		if past := time.Since(units); past < after {
			next = min(next, after-past)
		}
	}
	return next
}
