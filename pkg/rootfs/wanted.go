package rootfs

import (
	"context"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/volumes"
)

// volumesFor returns which volumes a name of a device may stand for: itself, or one with such a
// superblock. Other names are of disks and partitions.
func (st *Storage) volumesFor(want bootspec.Device) volumes.Filter {
	f := volumes.Filter{Allow: st.Spec.Root.LVM, Degraded: st.degraded}
	switch want.By {
	case bootspec.ByVolume:
		f.Name = want.Text
	case bootspec.ByUUID:
		f.Match = func(fsys blockdev.Filesystem) bool { return strings.EqualFold(fsys.UUID, want.Text) }
	case bootspec.ByLabel:
		f.Match = func(fsys blockdev.Filesystem) bool { return fsys.Label == want.Text }
	}
	return f
}

// volumesForRoot returns the volumes that may hold a root that no parameter names.
func (st *Storage) volumesForRoot() volumes.Filter {
	return volumes.Filter{Allow: st.Spec.Root.LVM, Degraded: st.degraded, Match: func(fsys blockdev.Filesystem) bool { return fsys.Root() == nil }}
}

// volumeKernel returns the kernel's operations, or those of a test.
func (st *Storage) volumeKernel() volumes.Kernel {
	if st.volumes != nil {
		return st.volumes
	}
	return volumes.OfModules(st.Load)
}

// volumeLayer returns the layer of the volumes that a search wants.
func (st *Storage) volumeLayer(ctx context.Context, p paths, want volumes.Filter) *volumes.Layer {
	return &volumes.Layer{Sys: p.sys, Dev: p.dev, Want: want, Kernel: st.volumeKernel(), Open: opener(ctx), Temporary: temporary, Warnf: st.Log.Warnf}
}

// Made returns the devices that the volumes in use are made of, each once, the lowest first.
func (st *Storage) Made() []volumes.Made {
	var plans []any
	for _, a := range st.active {
		plans = append(plans, a.assembly.Plan)
	}
	return volumes.MadeOf(plans)
}
