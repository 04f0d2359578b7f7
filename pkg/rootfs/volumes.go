package rootfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
	"github.com/iscsiroot/iscsiroot/pkg/lvm"
)

// volumes is the layer of LVM's logical volumes. It finds those only that a search wants: a volume
// is read by the table that it would have, so that looking for root activates none but root's.
type volumes struct {
	paths
	want   volumeFilter
	kernel volumeKernel

	// The fields below are of the last Find.

	places map[lvm.ID]*blockdev.Device // the physical volumes
	seen   []string                    // the volumes, for messages
	errs   []error                     // why some cannot be used
	unread []unread                    // what could not be read, for a temporary reason
	hidden bool                        // there are volumes whose contents only the kernel can read
}

// Name implements blockdev.Layer.
func (*volumes) Name() string { return "logical volumes" }

// Find implements blockdev.Layer.
func (l *volumes) Find(_ context.Context, devices []*blockdev.Device) ([]blockdev.Assembly, error) {
	l.places, l.seen, l.errs, l.unread, l.hidden = map[lvm.ID]*blockdev.Device{}, nil, nil, nil, false
	var found []lvm.Found
	for _, d := range devices {
		if !mayBePV(d, devices) {
			continue
		}
		pv, err := l.label(d)
		switch {
		case err == nil:
			found = append(found, lvm.Found{Place: d.Name, PV: pv})
			l.places[pv.ID] = d
		case temporary(err):
			l.unread = append(l.unread, unreadOn(d, err)...)
		case !errors.Is(err, lvm.ErrNoLabel):
			l.errs = append(l.errs, fmt.Errorf("%s: %w", d.Name, err))
		}
	}
	groups, problems := lvm.Assemble(found)
	l.errs = append(l.errs, problems...)
	var out []blockdev.Assembly
	for i := range groups {
		if twin := sameName(groups, i); twin != nil {
			l.errs = append(l.errs, twin)
			continue
		}
		out = append(out, l.wanted(&groups[i])...)
	}
	return out, nil
}

// mayBePV reports whether a device is looked at: it is no disk with partitions, and no volume
// itself.
func mayBePV(d *blockdev.Device, devices []*blockdev.Device) bool {
	if d.Size == 0 || d.Map != "" {
		return false
	}
	for _, other := range devices {
		if other.Partition != nil && other.PartitionOf(d, other.Partition.Number) {
			return false
		}
	}
	return true
}

// label reads a device's label, and the metadata behind it.
func (l *volumes) label(d *blockdev.Device) (lvm.PV, error) {
	f, err := os.Open(filepath.Join(l.dev, d.Name))
	if err != nil {
		return lvm.PV{}, err
	}
	defer func() { _ = f.Close() }()
	return lvm.ReadPV(f, d.Size)
}

// sameName returns an error if a volume group before the i-th has its name.
func sameName(groups []lvm.Group, i int) error {
	for _, other := range groups[:i] {
		if other.VG.Name == groups[i].VG.Name {
			_, err := lvm.Find(groups, other.VG.Name)
			return err
		}
	}
	return nil
}

// volumePlan is the Plan of an assembly.
type volumePlan struct {
	name    string // "vg/root"
	volumes []lvm.Volume
	numbers map[string]table.Number // of the devices, by name, once they are made
}

// wanted returns the volumes of a group that the search wants.
func (l *volumes) wanted(g *lvm.Group) []blockdev.Assembly {
	var members []*blockdev.Device
	for id := range g.Found {
		members = append(members, l.places[id])
	}
	var out []blockdev.Assembly
	for i := range g.VG.LVs {
		lv := &g.VG.LVs[i]
		name := g.VG.Name + "/" + lv.Name
		if lv.Hidden() {
			continue
		}
		if !l.want.allows(g.VG.Name, lv.Name) {
			l.seen = append(l.seen, fmt.Sprintf("%s (%d MiB)", name, lv.Extents()*uint64(g.VG.ExtentSectors)>>11))
			continue
		}
		plan, err := g.Plan(lv.Name, lvm.Options{Degraded: l.want.degraded})
		if err != nil {
			l.failed(name, err)
			continue
		}
		if l.matches(name, plan) {
			out = append(out, blockdev.Assembly{Name: name, Members: members, Plan: &volumePlan{name: name, volumes: plan}})
		}
	}
	return out
}

// failed notes why a volume cannot be made. For one that may not even hold root it is no message.
func (l *volumes) failed(name string, err error) {
	l.seen = append(l.seen, name+" (cannot be used)")
	if l.want.name != "" || errorAs[*lvm.MissingError](err) {
		l.errs = append(l.errs, err)
	}
}

func errorAs[T error](err error) bool {
	var target T
	return errors.As(err, &target)
}

// matches reports whether a volume is the one that is named, or has the wanted superblock.
func (l *volumes) matches(name string, plan []lvm.Volume) bool {
	top := plan[len(plan)-1]
	text := fmt.Sprintf("%s (%d MiB", name, top.Sectors>>11)
	defer func() { l.seen = append(l.seen, text+")") }()
	if l.want.name != "" {
		return true
	}
	files, r, err := l.contents(plan)
	defer closeAll(files)
	if errors.Is(err, table.ErrNotReadable) {
		l.hidden = true
		return l.want.hidden
	}
	var fsys blockdev.Filesystem
	if err == nil {
		fsys, err = blockdev.Probe(r, int64(top.Sectors)*table.SectorSize)
	}
	var several *blockdev.AmbiguousError
	switch {
	case errors.As(err, &several):
		for _, one := range several.Found {
			if l.want.match(one) {
				return true
			}
		}
	case temporary(err):
		for _, d := range l.places {
			l.unread = append(l.unread, unreadOn(d, err)...)
		}
	case err == nil:
		text += ", " + strings.TrimSuffix(strings.TrimPrefix((&blockdev.Device{Content: &blockdev.Content{FS: fsys}}).Describe(), " (0 MiB, "), ")")
		return l.want.match(fsys)
	}
	return false
}

// contents opens what a volume would contain.
func (l *volumes) contents(plan []lvm.Volume) (files []*os.File, top io.ReaderAt, err error) {
	made := map[string]uint32{} // volumes have numbers of major 0 here, which no device has
	readers := map[table.Number]io.ReaderAt{}
	number := func(ref lvm.Ref) (table.Number, bool) {
		if ref.PV == "" {
			n, ok := made[ref.Volume]
			return table.Number{Minor: n}, ok
		}
		d := l.places[ref.PV]
		if d == nil {
			return table.Number{}, false
		}
		n := table.Number(d.Number)
		if readers[n] == nil {
			f, ferr := os.Open(filepath.Join(l.dev, d.Name))
			if ferr != nil {
				err = ferr
				return n, false
			}
			files, readers[n] = append(files, f), f
		}
		return n, true
	}
	for i, v := range plan {
		t, terr := v.Table(number)
		if err != nil || terr != nil {
			return files, nil, errors.Join(err, terr)
		}
		r, rerr := t.Reader(func(n table.Number) io.ReaderAt { return readers[n] })
		if rerr != nil {
			return files, nil, rerr
		}
		made[v.Name] = uint32(i + 1)
		readers[table.Number{Minor: uint32(i + 1)}], top = r, r
	}
	return files, top, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}
