package rootfs

import (
	"context"
	"slices"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/arrays"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/maps"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/reads"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/stack"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/volumes"
)

// wants is which arrays and volumes a search wants.
type wants struct {
	arrays  arrays.Filter
	volumes volumes.Filter
	disk    bool // it is a disk or a partition of one: it is on no array
	// degraded: what lacks members that it can do without is activated, after all else.
	degraded bool
}

// stackOf runs the layers over disks, and notes what was activated. An array or a volume may stand
// on other disks too, so where a search wants some, all disks are looked at. The reads are the
// search's.
func (st *Storage) stackOf(ctx context.Context, p paths, disks []*blockdev.Device, want wants, r *reads.Set) *stack.Stack {
	parts := &maps.Partitions{Maps: st.Maps(), Open: r.Open, Temporary: reads.Temporary}
	all := []blockdev.Layer{&stack.Partitions{Sys: p.sys}, parts}
	var array *arrays.Layer
	var lv *volumes.Layer
	if !want.arrays.None() {
		array = st.arrayLayer(r, p, want.arrays)
		all = append(all, array)
	}
	if !want.volumes.None() {
		lv = st.volumeLayer(r, p, want.volumes)
		all = append(all, lv)
	}
	if array != nil || lv != nil {
		disks = slices.Clone(disks)
		for _, d := range st.allDisks() {
			if !d.In(disks) {
				disks = append(disks, d)
			}
		}
	}
	sk := stack.Stand(ctx, p.sys, all, disks)
	sk.Parts, sk.Arrays, sk.Volumes = parts, array, lv
	if want.degraded {
		sk.Degrade(ctx, all)
	}
	st.active.Add(sk)
	return sk
}

// DeactivateUnused deactivates the arrays and volumes that are not in use: those that were
// activated to look into them, or all, before their sessions end.
func (st *Storage) DeactivateUnused(ctx context.Context) { st.active.DeactivateOthers(ctx, nil) }
