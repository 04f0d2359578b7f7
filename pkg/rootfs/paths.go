package rootfs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/dm"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/multipath"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/maps"
)

// place is what a disk of a session is used as. A multipath map stands in the lists of disks in the
// place of its first path. Its paths are in no list: what is on them is read from the map alone.
type place struct {
	multipath.Path
	session int
	lun     blockdev.LUN
	unit    *blockdev.Device // the map, or the disk that is used in the place of this one
}

// sessionLUN is a LUN of the i-th session.
type sessionLUN struct {
	session int
	blockdev.LUN
}

// Maps returns what makes multipath maps.
func (st *Storage) Maps() *maps.Maps {
	if st.maps == nil {
		st.maps = &maps.Maps{Sys: kernelPaths.sys, Dev: kernelPaths.dev, Load: st.Load, Open: func() (maps.Mapper, error) { return dm.Open(nil) }, Blocking: sequence.Blocking}
	}
	return st.maps
}

// isPath reports whether a target's session is one of several that are paths.
func isPath(t bootspec.Target) bool { return t.Multipath.V }

// mayJoin reports whether disks of the sessions may be paths to the same LUN.
func (st *Storage) mayJoin() bool {
	on := st.Spec.Multipath.On
	return (!on.Given() || on.V) && (len(st.Spec.Targets) > 1 || slices.ContainsFunc(st.Spec.Targets, isPath))
}

// use returns the disks and maps to be used for LUNs that were found, in their order. A LUN that
// becomes a path of a map that is there already has none.
func (st *Storage) use(ctx context.Context, found []sessionLUN) []*blockdev.Device {
	var units []*blockdev.Device
	if !st.mayJoin() {
		for _, u := range found {
			units = append(units, newDisk(u.LUN))
		}
		return units
	}
	fresh := len(st.places)
	for _, u := range found {
		p, err := st.readPath(ctx, u)
		if err != nil { // it is being removed: newDisks finds it if it comes back
			st.Log.Debugf("%s is not used: %v", u.Disk, err)
			continue
		}
		st.places = append(st.places, &place{Path: p, session: u.session, lun: u.LUN})
		if isPath(st.Spec.Targets[u.session]) {
			st.pathLUNs.Add(st.paths(u.session)[0], u.Number)
		}
	}
	st.compare(ctx, fresh)
	var all []multipath.Path
	for _, p := range st.places {
		all = append(all, p.Path)
	}
	groups, refused := multipath.Maps(all, st.allowed())
	for _, r := range refused {
		st.warnPaths(r.String(), r.Disk, r.With)
	}
	for _, g := range groups {
		if unit := st.join(ctx, g); unit != nil {
			units = append(units, unit)
		}
	}
	return units
}

// readPath reads the facts of a disk. A session that was lost during the scan may have left a disk
// without its names: the kernel reads them again.
func (st *Storage) readPath(ctx context.Context, u sessionLUN) (multipath.Path, error) {
	s := st.Sessions.List()[u.session]
	p, err := st.Maps().Read(u.LUN, s.Target)
	if err != nil || p.ID != "" || !isPath(st.Spec.Targets[u.session]) {
		return p, err
	}
	sys := st.Maps().Sys
	if err := st.calls.Once(ctx, s.SID, "names of "+u.Disk, func() error { return blockdev.Rescan(sys, u.Disk) }); err != nil {
		st.Log.Debugf("names of %s: %v", u.Disk, err)
	}
	return st.Maps().Read(u.LUN, s.Target)
}

// allowed returns the IDs by which disks are joined in any case.
func (st *Storage) allowed() (out []multipath.ID) {
	for _, id := range st.Spec.Multipath.IDs {
		out = append(out, multipath.ID(id.V))
	}
	return out
}

// join gives the disks of one LUN that are new their place. It returns the disk or map that is used
// for them if that is new too.
func (st *Storage) join(ctx context.Context, g multipath.Map) *blockdev.Device {
	var all, fresh []*place
	var unit *blockdev.Device
	for _, p := range st.places { // in the order in which they were found
		switch {
		case !slices.ContainsFunc(g.Paths(), func(q multipath.Path) bool { return q.Disk == p.Disk }):
			continue
		case p.unit == nil:
			fresh = append(fresh, p)
		case unit == nil:
			unit = p.unit
		}
		all = append(all, p)
	}
	if len(fresh) == 0 {
		return nil
	}
	known := unit
	switch {
	case unit != nil && unit.Kind == blockdev.KindMultipath:
		st.addPaths(ctx, unit, fresh)
	case len(all) > 1 || isPath(st.Spec.Targets[fresh[0].session]) || st.Sessions.IsPath(fresh[0].session):
		unit = st.makeMap(ctx, g, all, unit)
	default:
		unit = newDisk(fresh[0].lun)
	}
	for _, p := range fresh {
		p.unit = unit
	}
	if known != nil {
		return nil
	}
	return unit
}

// makeMap makes a map of the disks of one LUN. Where that cannot be done one of them is used: known
// if that is not nil, a disk that is used so far; the map takes its place.
func (st *Storage) makeMap(ctx context.Context, g multipath.Map, all []*place, known *blockdev.Device) *blockdev.Device {
	unit, other := known, known
	if unit == nil {
		other = newDisk(all[0].lun)
	}
	if g.ID == "" || g.Size == 0 {
		if known == nil {
			lacks := "no WWID of its own"
			if g.ID != "" {
				lacks = "a size of 0"
			}
			st.warnPaths(fmt.Sprintf("lun %v of %s has %s: using %s without multipath", iscsi.KernelLUN(all[0].LUN), all[0].Target, lacks, other.Name), all[0].Disk)
			st.useAsDisk(all[0])
		}
		return other
	}
	err := st.mapOthers(ctx, all)
	if err == nil && known != nil {
		err = st.active.Deactivate(ctx, known.Name)
	}
	var d *blockdev.Device
	if err == nil {
		d, err = st.Maps().Make(ctx, g)
	}
	if err != nil {
		st.Log.Warnf("%s: using %s without multipath", withHint(err), other.Name)
		if known == nil {
			st.useAsDisk(all[0])
		}
		return other
	}
	if unit == nil {
		unit = d
	} else {
		*unit = *d
	}
	for _, p := range all {
		st.useAsPath(p)
	}
	st.Log.Infof("multipath map %s has the paths %s", d.Map, diskList(all))
	return unit
}

// addPaths adds disks to a map. Their sessions have the timers of a path before: the new table
// waits for what is in flight. One that is down has not, and its disk joins later
// (pkg/recovery/paths).
func (st *Storage) addPaths(ctx context.Context, unit *blockdev.Device, fresh []*place) {
	for _, p := range fresh {
		err := st.mapOthers(ctx, []*place{p})
		if err == nil {
			err = st.Sessions.UseAsPath(p.session)
		}
		if err == nil {
			err = st.Maps().Join(ctx, unit.Map, p.Path)
		}
		if err != nil {
			st.Log.Warnf("%s is not joined: %v", p.Disk, err)
			continue
		}
		st.Log.Infof("multipath map %s: added %s", unit.Map, p.Disk)
	}
	if d, err := blockdev.Read(st.Maps().Sys, unit.Name); err == nil {
		*unit = *d
	}
}

// warnPaths logs once why disks are not joined: as a warning if a parameter asks for paths to any
// of them.
func (st *Storage) warnPaths(text string, disks ...string) {
	if st.toldPaths[text] {
		return
	}
	if st.toldPaths == nil {
		st.toldPaths = map[string]bool{}
	}
	st.toldPaths[text] = true
	asked := len(st.Spec.Multipath.IDs) > 0 || slices.ContainsFunc(st.places, func(p *place) bool {
		return slices.Contains(disks, p.Disk) && isPath(st.Spec.Targets[p.session])
	})
	if asked {
		st.Log.Warnf("%s", text)
		return
	}
	st.Log.Infof("%s", text)
}

// withHint returns the text of an error with its hint.
func withHint(err error) string {
	if h := sequence.Hint(err); h != "" {
		return err.Error() + " (" + h + ")"
	}
	return err.Error()
}

func diskList(all []*place) string {
	var names []string
	for _, p := range all {
		names = append(names, p.Disk)
	}
	return strings.Join(names, ", ")
}

// removeMapOf removes the map that a disk is a path of.
func (st *Storage) removeMapOf(u blockdev.LUN) error {
	d := blockdev.PathOf(st.Maps().Sys, u.Disk)
	if d == nil {
		return nil
	}
	err := st.Maps().Remove(d.Map)
	if errors.Is(err, unix.EBUSY) {
		return blockdev.ErrInUse
	}
	return err
}

// RemoveMaps removes the maps before the sessions of their paths end, those also of an earlier
// search, and the partitions on them. I/O on one that stays fails from then on, because it has no
// path.
func (st *Storage) RemoveMaps(ctx context.Context) {
	for _, d := range st.Maps().Made() {
		err := st.active.Deactivate(ctx, d.Name)
		if err == nil {
			err = st.Maps().Remove(d.Map)
		}
		if err != nil {
			st.Log.Warnf("multipath map %s: %v", d.Map, errors.Join(err, st.Maps().Message(d.Map, "fail_if_no_path")))
		}
	}
}

// MadeMap is a multipath map that the boot has made.
type MadeMap struct {
	*blockdev.Device
	ID         multipath.ID
	Partitions []*blockdev.Device
	// Attribute is the attribute wwid of the paths in sysfs, if there is one such LUN only.
	Attribute string
}

// MadeMaps returns the multipath maps as they are now, with their partitions.
func (st *Storage) MadeMaps() (out []MadeMap) {
	sys := st.Maps().Sys
	for _, unit := range st.allDisks() {
		if unit.Kind != blockdev.KindMultipath {
			continue
		}
		d, err := blockdev.Read(sys, unit.Name)
		if err != nil {
			continue // it has been removed by hand
		}
		m := MadeMap{Device: d}
		m.Partitions, _ = blockdev.Partitions(sys, d)
		for _, p := range st.places {
			if p.unit == unit && m.ID == "" {
				m.ID = p.ID
				m.Attribute = st.attribute(p)
			}
		}
		out = append(out, m)
	}
	return out
}

// attribute returns the attribute wwid of a path, if there is one LUN only that has the path's ID.
func (st *Storage) attribute(p *place) string {
	if !p.Unique(st.allowed()) {
		return ""
	}
	b, _ := os.ReadFile(filepath.Join(st.Maps().Sys, "class/block", p.Disk, "device/wwid")) // of SCSI disks with page 0x83
	return strings.TrimSpace(string(b))
}
