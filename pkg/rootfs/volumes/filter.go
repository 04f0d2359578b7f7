package volumes

import (
	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/lvm"
)

// Filter is which logical volumes a search wants. The zero value wants none.
type Filter struct {
	Name     string                         // the only one, as device-mapper has it; "": by its contents
	Allow    bootspec.LVM                   // in which volumes a search by contents looks
	Match    func(blockdev.Filesystem) bool // the contents; nil: none matches
	Hidden   bool                           // also volumes whose contents only the kernel can read
	Degraded bool                           // also raids that lack members they can do without
	Members  bool                           // also those that are members of an md array
	// One: of several only the first is found, with the next Find the next one that is not
	// among Tried, their names as LVM has them.
	One   bool
	Tried []string
}

// None reports whether the search wants no volume at all.
func (f Filter) None() bool { return f.Name == "" && (f.Match == nil && !f.Members || f.Allow.Off.V) }

// WithHidden returns the filter that also wants volumes whose contents only the kernel can read.
func (f Filter) WithHidden() Filter {
	f.Hidden = true
	return f
}

// allows reports whether a volume is the one that is named, or one whose contents may be wanted.
func (f Filter) allows(group, volume string) bool {
	if f.Name != "" {
		return lvm.DMName(group, volume, "") == f.Name
	}
	return f.Match != nil && f.Allow.Allows(group, volume)
}

// allowsMember reports whether a volume is wanted if it is a member of an array.
func (f Filter) allowsMember(group, volume string) bool {
	return f.Members && f.Allow.Allows(group, volume)
}
