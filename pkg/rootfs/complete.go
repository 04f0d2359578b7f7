package rootfs

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/reads"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/volumes"
)

// completeLimit is for how long the rest of a volume group is looked for.
const completeLimit = 15 * time.Second

// complete looks for the physical volumes that the groups of root and /usr have and that these do
// not need, on the LUNs of the targets that are logged in, and keeps those LUNs attached. The real
// system activates the other volumes of a group only if all of the group is there (lvm2's
// udev/69-dm-lvm.rules.in: pvscan --checkcomplete).
func (st *Storage) complete(ctx context.Context, p paths) {
	if st.lacking() == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, completeLimit)
	defer cancel()
	f := finder{at: func(fresh []*blockdev.Device) error {
		st.adopt(ctx, p, fresh)
		return st.lacking()
	}}
	err := st.newRootSearch("root").onOtherLUNs(ctx, st.lacking(), f)
	if left := st.lacking(); left != nil {
		st.Log.Warnf("%v%s: the real system may not activate its other volumes", left, reads.Describe(unreadOf(err)))
	}
}

// adopt makes the physical volumes on disks that groups in use lack members of their volumes. LUNs
// with members of what is in use stay attached.
func (st *Storage) adopt(ctx context.Context, p paths, disks []*blockdev.Device) {
	sk := stand(ctx, p, []blockdev.Layer{&partitions{p.sys}}, disks)
	r := st.newReads(ctx)
	defer r.End()
	var all []*blockdev.Assembly
	for _, a := range st.active {
		all = append(all, &a.assembly)
	}
	for _, d := range st.volumeLayer(r, p, volumes.Filter{}).Complete(all, sk.devices) {
		st.Log.Infof("%s is a physical volume of a volume group in use: it stays attached", d.Name)
	}
}

// lacking returns an error if a group in use lacks physical volumes.
func (st *Storage) lacking() error {
	e := &lacksError{}
	seen := map[string]bool{}
	for _, a := range st.active {
		group, pvs := volumes.Lacks(a.assembly)
		if len(pvs) == 0 || seen[group] {
			continue
		}
		seen[group] = true
		var list []string
		for _, pv := range pvs {
			list = append(list, pv.String())
		}
		e.groups = append(e.groups, fmt.Sprintf("volume group %s lacks physical volumes that root does not need: %s", group, strings.Join(list, ", ")))
	}
	if len(e.groups) == 0 {
		return nil
	}
	return e
}

// lacksError reports groups in use that lack physical volumes.
type lacksError struct {
	groups []string
	absence
}

// Error implements error.
func (e *lacksError) Error() string { return strings.Join(e.groups, "; ") }
