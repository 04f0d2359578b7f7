// Package volumes finds logical volumes of LVM on disks, reads what is in them without an
// activation, and activates those that a search for root wants.
package volumes

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

// Layer is the layer of LVM's logical volumes. It finds those only that a search wants: a volume is
// read by the table that it would have, so that looking for root activates none but root's.
type Layer struct {
	Sys, Dev string // the mount points of sysfs and devtmpfs
	Want     Filter
	Kernel   Kernel
	// Temporary reports whether an error of a read may be temporary.
	Temporary func(error) bool
	Warnf     func(format string, args ...any)

	// The fields below are of the last Find.

	Seen   []string // the volumes, for messages
	Errs   []error  // why some cannot be used
	Unread []Unread // what could not be read, for a temporary reason
	Hidden bool     // there are volumes whose contents only the kernel can read

	places map[lvm.ID]*blockdev.Device // the physical volumes
}

// Unread is a device that could not be read.
type Unread struct {
	Device *blockdev.Device
	Err    error
}

// Name implements blockdev.Layer.
func (*Layer) Name() string { return "logical volumes" }

// Find implements blockdev.Layer.
func (l *Layer) Find(_ context.Context, devices []*blockdev.Device) ([]blockdev.Assembly, error) {
	l.places, l.Seen, l.Errs, l.Unread, l.Hidden = map[lvm.ID]*blockdev.Device{}, nil, nil, nil, false
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
		case l.Temporary(err):
			l.Unread = append(l.Unread, Unread{d, err})
		case !errors.Is(err, lvm.ErrNoLabel) && l.Want.Name != "": // else it is one of many devices
			l.Errs = append(l.Errs, fmt.Errorf("%s: %w", d.Name, err))
		}
	}
	groups, problems := lvm.Assemble(found)
	l.Errs = append(l.Errs, problems...)
	var out []blockdev.Assembly
	for i := range groups {
		if twin := sameName(groups, i); twin != nil {
			l.Errs = append(l.Errs, twin)
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
func (l *Layer) label(d *blockdev.Device) (lvm.PV, error) {
	f, err := os.Open(filepath.Join(l.Dev, d.Name))
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

// assembly is the Plan of a blockdev.Assembly.
type assembly struct {
	name    string // "vg/root"
	volumes []lvm.Volume
	numbers map[string]table.Number // of the devices, by name, once they are made
}

// wanted returns the volumes of a group that the search wants.
func (l *Layer) wanted(g *lvm.Group) []blockdev.Assembly {
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
		if !l.Want.allows(g.VG.Name, lv.Name) {
			l.Seen = append(l.Seen, fmt.Sprintf("%s (%d MiB)", name, lv.Extents()*uint64(g.VG.ExtentSectors)>>11))
			continue
		}
		plan, err := g.Plan(lv.Name, lvm.Options{Degraded: l.Want.Degraded})
		if err != nil {
			l.failed(name, err)
			continue
		}
		if l.matches(name, plan) {
			out = append(out, blockdev.Assembly{Name: name, Members: members, Plan: &assembly{name: name, volumes: plan}})
		}
	}
	return out
}

// failed notes why a volume cannot be made. For one that may not even hold root it is no message.
func (l *Layer) failed(name string, err error) {
	l.Seen = append(l.Seen, name+" (cannot be used)")
	if l.Want.Name != "" || errorAs[*lvm.MissingError](err) {
		l.Errs = append(l.Errs, err)
	}
}

func errorAs[T error](err error) bool {
	var target T
	return errors.As(err, &target)
}

// matches reports whether a volume is the one that is named, or has the wanted superblock.
func (l *Layer) matches(name string, plan []lvm.Volume) bool {
	top := plan[len(plan)-1]
	text := fmt.Sprintf("%s (%d MiB", name, top.Sectors>>11)
	defer func() { l.Seen = append(l.Seen, text+")") }()
	if l.Want.Name != "" {
		return true
	}
	files, r, err := l.contents(plan)
	defer closeAll(files)
	if errors.Is(err, table.ErrNotReadable) {
		l.Hidden = true
		return l.Want.Hidden
	}
	var fsys blockdev.Filesystem
	if err == nil {
		fsys, err = blockdev.Probe(r, int64(top.Sectors)*table.SectorSize)
	}
	var several *blockdev.AmbiguousError
	switch {
	case errors.As(err, &several):
		for _, one := range several.Found {
			if l.Want.Match(one) {
				return true
			}
		}
	case l.Temporary(err):
		for _, d := range l.places {
			l.Unread = append(l.Unread, Unread{d, err})
		}
	case err == nil:
		text += ", " + strings.TrimSuffix(strings.TrimPrefix((&blockdev.Device{Content: &blockdev.Content{FS: fsys}}).Describe(), " (0 MiB, "), ")")
		return l.Want.Match(fsys)
	}
	return false
}

// contents opens what a volume would contain.
func (l *Layer) contents(plan []lvm.Volume) (files []*os.File, top io.ReaderAt, err error) {
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
			f, ferr := os.Open(filepath.Join(l.Dev, d.Name))
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
