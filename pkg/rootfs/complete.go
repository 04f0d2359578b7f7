package rootfs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/arrays"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/reads"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/stack"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/volumes"
)

// completeLimit is for how long the rest of a volume group or of an array is looked for.
const completeLimit = 15 * time.Second

// complete looks for the physical volumes that the groups of root and /usr have and that these do
// not need, and for the members without which their arrays run, on the LUNs of the targets that are
// logged in, and keeps those LUNs attached. The real system activates the other volumes of a group
// only if all of the group is there (lvm2's udev/69-dm-lvm.rules.in: pvscan --checkcomplete). The
// agent takes the members back into their arrays (pkg/recovery/mirrors). Nothing is written here.
func (st *Storage) complete(ctx context.Context, p paths) {
	if st.lacking() == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, completeLimit)
	defer cancel()
	st.adopt(ctx, p, st.late) // a search for another device may have attached them
	f := finder{at: func(fresh []*blockdev.Device) error {
		st.adopt(ctx, p, fresh)
		return st.lacking()
	}}
	var err error
	if left := st.lacking(); left != nil {
		err = st.newRootSearch("root").onOtherLUNs(ctx, left, f)
	}
	var left *lacksError
	if errors.As(st.lacking(), &left) {
		left.warn(st.Log, reads.Describe(unreadOf(err)))
	}
}

// adopt makes the physical volumes on disks that groups in use lack members of their volumes, and
// so the members of arrays in use. LUNs with members of what is in use stay attached.
func (st *Storage) adopt(ctx context.Context, p paths, disks []*blockdev.Device) {
	sk := stack.Stand(ctx, p.sys, []blockdev.Layer{&stack.Partitions{Sys: p.sys, Mapped: true}}, disks)
	r := st.newReads(ctx)
	defer r.End()
	var all []*blockdev.Assembly
	for _, a := range st.active.All {
		all = append(all, &a.Assembly)
	}
	for _, d := range st.volumeLayer(r, p, volumes.Filter{}).Complete(all, sk.Devices) {
		st.Log.Infof("%s is a physical volume of a volume group in use: it stays attached", d.Name)
	}
	for _, d := range st.arrayLayer(r, p, arrays.Filter{}).Complete(all, sk.Devices) {
		st.Log.Infof("%s is a member of an array in use: it stays attached", d.Name)
	}
}

// lacking returns an error if a group in use lacks physical volumes, or an array members.
func (st *Storage) lacking() error {
	e := &lacksError{}
	seen := map[string]bool{}
	for _, a := range st.active.All {
		if array, n := arrays.Lacks(a.Assembly); n > 0 {
			e.arrays = append(e.arrays, fmt.Sprintf("array %s lacks %d of its members", array, n))
		}
		group, pvs := volumes.Lacks(a.Assembly)
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
	if len(e.groups)+len(e.arrays) == 0 {
		return nil
	}
	return e
}

// lacksError reports groups in use that lack physical volumes, and arrays that lack members.
type lacksError struct {
	groups, arrays []string
	absence
}

// Error implements error.
func (e *lacksError) Error() string { return strings.Join(slices.Concat(e.groups, e.arrays), "; ") }

// warn logs what becomes of them; unread is what could not be read.
func (e *lacksError) warn(log sequence.Logger, unread string) {
	if len(e.groups) > 0 {
		log.Warnf("%s%s: the real system may not activate its other volumes", strings.Join(e.groups, "; "), unread)
	}
	if len(e.arrays) > 0 {
		log.Warnf("%s: they were not found on the LUNs of the targets%s", strings.Join(e.arrays, "; "), unread)
	}
}
