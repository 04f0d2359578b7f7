package rootfs

import (
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/md/array"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/arrays"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/reads"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/volumes"
)

// wantsFor returns which arrays and volumes a name of a device may stand for: itself, or one with
// such a superblock. Other names are of disks and partitions.
func (st *Storage) wantsFor(want bootspec.Device) wants {
	w := wants{arrays: arrays.Filter{Allow: st.Spec.Root.MD, Complete: len(st.waiting()) == 0}, volumes: volumes.Filter{Allow: st.Spec.Root.LVM}}
	switch want.By {
	case bootspec.ByNode, bootspec.ByNumber, bootspec.ByID, bootspec.ByMap, bootspec.ByOnlyMap:
		w.disk = true
	case bootspec.ByArray:
		w.arrays.Device = want
	case bootspec.ByVolume:
		w.volumes.Name = want.Text
	case bootspec.ByUUID:
		w.volumes.Match = func(fsys blockdev.Filesystem) bool { return strings.EqualFold(fsys.UUID, want.Text) }
	case bootspec.ByLabel:
		w.volumes.Match = func(fsys blockdev.Filesystem) bool { return fsys.Label == want.Text }
	}
	_, later := w.onArrays(false)
	w.degraded = st.degraded && !later
	return w
}

// onArrays returns the same with all arrays, on which the device may stand, and the volumes on
// which those may stand. ok: there may be any. Only then nothing else can make a volume or an array
// whole.
func (w wants) onArrays(degraded bool) (_ wants, ok bool) {
	w.arrays.All = true
	if w.disk || w.arrays.None() {
		return w, false
	}
	w.volumes.Members, w.degraded = true, degraded
	return w, true
}

// withoutContents returns the same without volumes that are wanted for what is in them.
func (w wants) withoutContents() wants {
	w.volumes.Match = nil
	return w
}

// wantsForRoot returns the volumes that may hold a root that no parameter names.
func (st *Storage) wantsForRoot() wants {
	w := st.wantsFor(bootspec.Device{By: bootspec.ByUUID})
	w.volumes.Match = func(fsys blockdev.Filesystem) bool { return fsys.Root() == nil }
	w.volumes.One = true
	return w
}

// arrayKernel returns the kernel's operations, or those of a test.
func (st *Storage) arrayKernel() arrays.Kernel {
	if st.arrays != nil {
		return st.arrays
	}
	return arrays.OfModules(array.Paths{Sys: kernelPaths.sys, Dev: kernelPaths.dev}, st.Load)
}

// volumeKernel returns the kernel's operations, or those of a test.
func (st *Storage) volumeKernel() volumes.Kernel {
	if st.volumes != nil {
		return st.volumes
	}
	return volumes.OfModules(st.Load)
}

// volumeLayer returns the layer of the volumes that a search wants.
func (st *Storage) volumeLayer(r *reads.Set, p paths, want volumes.Filter) *volumes.Layer {
	return &volumes.Layer{Sys: p.sys, Dev: p.dev, Want: want, Kernel: st.volumeKernel(), Open: r.Open, Temporary: reads.Temporary, Warnf: st.Log.Warnf}
}

// arrayLayer returns the layer of the arrays that a search wants.
func (st *Storage) arrayLayer(r *reads.Set, p paths, want arrays.Filter) *arrays.Layer {
	if st.startedArrays == nil {
		st.startedArrays = map[string]bool{}
	}
	return &arrays.Layer{Sys: p.sys, Dev: p.dev, Want: want, Mine: st.startedArrays, Kernel: st.arrayKernel(), Open: r.Open, Temporary: reads.Temporary, Warnf: st.Log.Warnf}
}

// Made returns what the volumes in use are made of, each device once, the lowest first, and the
// arrays in use.
func (st *Storage) Made() ([]volumes.Made, []arrays.Made) {
	var plans []any
	for _, a := range st.active.All {
		plans = append(plans, a.Assembly.Plan)
	}
	return volumes.MadeOf(plans), arrays.MadeOf(plans)
}
