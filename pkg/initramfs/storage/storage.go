// Package storage lists the kinds of devices that root can stand on beside disks and partitions,
// with the kernel modules that they need.
package storage

import (
	"fmt"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

// kinds are in the order in which a person is shown them. Of a raid the kernel loads the module of
// the level when it is made (drivers/md/md.c: md_run). Kernels 6.8 to 6.13 have no linear.
var kinds = [...]struct {
	name             string
	required, useful []string
}{
	{"lvm", []string{"dm_mod"}, nil},
	{"lvm-raid", []string{"dm_mod", "dm_raid"}, []string{"raid0", "raid1", "raid10", "raid456"}},
	{"lvm-thin", []string{"dm_mod", "dm_thin_pool"}, nil},
	{"multipath", []string{"dm_mod", "dm_multipath", "dm_service_time"}, []string{"scsi_dh_alua"}},
	{"md", []string{"md_mod"}, []string{"raid0", "raid1", "raid10", "raid456", "linear"}},
}

// Supported returns the names of the kinds.
func Supported() []string {
	var out []string
	for _, k := range kinds {
		out = append(out, k.name)
	}
	return out
}

// Modules returns the modules that kinds need: those that they cannot do without, and those that
// only some levels of a raid, or LUNs with access states, need. An error names a kind that is not
// of Supported.
func Modules(names []string) (required, useful []string, err error) {
	for _, name := range names {
		i := slices.Index(Supported(), name)
		if i < 0 {
			return nil, nil, fmt.Errorf("storage %s: not supported; use one of %s", name, strings.Join(Supported(), ", "))
		}
		required, useful = append(required, kinds[i].required...), append(useful, kinds[i].useful...)
	}
	return required, useful, nil
}

// Named returns the kinds that parameters name: "lvm" for a logical volume or its group, "md" for
// an array, "multipath" for sessions that are paths to the same LUNs.
func Named(p bootspec.Plan) (out []string) {
	by := p.Root.Device.V.By
	if by == bootspec.ByVolume || len(p.Root.LVM.Names) > 0 {
		out = append(out, "lvm")
	}
	if by == bootspec.ByArray || len(p.Root.MD.UUIDs) > 0 {
		out = append(out, "md")
	}
	if p.Multipath.On.V || slices.ContainsFunc(p.Sessions(), func(t bootspec.Target) bool { return t.Multipath.V }) {
		out = append(out, "multipath")
	}
	return out
}
