package rootfs

import (
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

// volumeFilter is which logical volumes a search wants. The zero value wants none.
type volumeFilter struct {
	name     string                         // the only one, as device-mapper has it; "": by its contents
	allow    bootspec.LVM                   // in which volumes a search by contents looks
	match    func(blockdev.Filesystem) bool // the contents; nil: none matches
	hidden   bool                           // also volumes whose contents only the kernel can read
	degraded bool                           // also raids that lack members they can do without
}

// none reports whether the search wants no volume at all.
func (f volumeFilter) none() bool { return f.name == "" && (f.match == nil || f.allow.Off.V) }

// withHidden returns the filter that also wants volumes whose contents only the kernel can read.
func (f volumeFilter) withHidden() volumeFilter {
	f.hidden = true
	return f
}

func (f volumeFilter) allows(group, volume string) bool {
	if f.name != "" {
		return bootspec.JoinVolume(group, volume) == f.name
	}
	return f.allow.Allows(group, volume)
}

// volumesFor returns which volumes a name of a device may stand for: itself, or one with such a
// superblock. Other names are of disks and partitions.
func (st *Storage) volumesFor(want bootspec.Device) volumeFilter {
	f := volumeFilter{allow: st.Spec.Root.LVM, degraded: st.degraded}
	switch want.By {
	case bootspec.ByVolume:
		f.name = want.Text
	case bootspec.ByUUID:
		f.match = func(fsys blockdev.Filesystem) bool { return strings.EqualFold(fsys.UUID, want.Text) }
	case bootspec.ByLabel:
		f.match = func(fsys blockdev.Filesystem) bool { return fsys.Label == want.Text }
	}
	return f
}

// volumesForRoot returns the volumes that may hold a root that no parameter names.
func (st *Storage) volumesForRoot() volumeFilter {
	return volumeFilter{allow: st.Spec.Root.LVM, degraded: st.degraded, match: func(fsys blockdev.Filesystem) bool { return fsys.Root() == nil }}
}
