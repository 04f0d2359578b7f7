package drivers

import (
	"slices"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

// WithoutMaps switches the paths of a plan off where the image has modules and no dm_multipath: a
// target then gets one session, which uses the portal that answers. With several sessions the real
// system would see the LUN as several disks. It is called before sessions are made, with each plan.
func (d *Drivers) WithoutMaps(p *bootspec.Plan) {
	if d.loader != nil {
		d.withoutMaps(p, d.loader.Has("dm_multipath"))
	}
}

func (d *Drivers) withoutMaps(p *bootspec.Plan, has bool) {
	if has || len(d.index.Modules()) == 0 || !asksForPaths(p) {
		return
	}
	d.Log.Warnf("multipath: the image has no dm_multipath: one session is made for each target: build the image with --storage multipath")
	p.Multipath.On = bootspec.Value[bool]{From: "the image"}
}

// asksForPaths reports whether sessions of a plan are paths, or those of targets that DHCP names.
func asksForPaths(p *bootspec.Plan) bool {
	return p.Multipath.On.V || slices.ContainsFunc(p.Sessions(), func(t bootspec.Target) bool { return t.Multipath.V })
}
