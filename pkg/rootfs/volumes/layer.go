// Package volumes finds logical volumes of LVM on disks, reads what is in them without an
// activation, and activates those that a search for root wants.
package volumes

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
	"github.com/iscsiroot/iscsiroot/pkg/lvm"
)

// Layer is the layer of LVM's logical volumes. It finds those only that a search wants: a volume is
// read by the table that it would have, so that looking for root activates none but root's.
type Layer struct {
	Sys, Dev string // the mount points of sysfs and devtmpfs
	Want     Filter
	Kernel   Kernel
	// Open opens a device for reading until the search ends.
	Open blockdev.Opener
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
	groups, problems := lvm.Assemble(l.labels(devices))
	if err := l.ambiguous(groups); err != nil {
		l.Errs = append(l.Errs, err)
		return nil, nil
	}
	var out []candidate
	for i := range groups {
		out = append(out, l.wanted(&groups[i])...)
	}
	if out = l.unique(out); len(out) == 0 && l.Want.Name != "" && len(l.Errs) == 0 {
		l.Errs = problems // one of them may hide the volume
	}
	// Raids and thin volumes, to which the kernel writes when it activates them, come last.
	sort.SliceStable(out, func(i, j int) bool { return out[i].cost < out[j].cost })
	var found []blockdev.Assembly
	one := false
	for _, c := range out {
		if c.member || !l.Want.One || !one {
			found = append(found, c.assembly)
		}
		one = one || !c.member
	}
	return found, nil
}

// candidate is a volume that may be activated.
type candidate struct {
	assembly blockdev.Assembly
	cost     int  // 0: the kernel writes nothing when it activates the volume
	member   bool // of an md array, and not wanted otherwise
}

// labels reads the labels of devices.
func (l *Layer) labels(devices []*blockdev.Device) (found []lvm.Found) {
	for _, d := range devices {
		if !mayBePV(d, devices) {
			continue
		}
		pv, err := l.label(d)
		for _, damage := range pv.Damaged {
			if l.Temporary(damage) {
				err = damage
			}
		}
		switch {
		case err == nil:
			found = append(found, lvm.Found{Place: d.Name, PV: pv})
			l.places[pv.ID] = d
		case l.Temporary(err):
			l.Unread = append(l.Unread, Unread{d, err})
		case errors.Is(err, errBelow) && l.Want.Members: // the array's label is read
		case !errors.Is(err, lvm.ErrNoLabel) && l.Want.Name != "": // else it is one of many devices
			l.Errs = append(l.Errs, fmt.Errorf("%s: %w", d.Name, err))
		}
	}
	return found
}

// ambiguous returns an error if two groups have a volume of the wanted name, also if one of them
// cannot be activated: which is meant is not known.
func (l *Layer) ambiguous(groups []lvm.Group) error {
	var in []*lvm.Group
	for i := range groups {
		for _, lv := range groups[i].VG.LVs {
			if l.Want.Name != "" && !lv.Hidden() && l.Want.allows(groups[i].VG.Name, lv.Name) {
				in = append(in, &groups[i])
			}
		}
	}
	if len(in) < 2 {
		return nil
	}
	_, err := lvm.Find(groups, in[0].VG.Name)
	return err
}

// unique drops volumes of one name, of two groups, that both have the wanted contents.
func (l *Layer) unique(all []candidate) (out []candidate) {
	for i, c := range all {
		twin := false
		for j, other := range all {
			twin = twin || i != j && c.assembly.Name == other.assembly.Name
		}
		if twin {
			l.Errs = append(l.Errs, fmt.Errorf("two volume groups have a volume %s, on %s: rename one of the groups, or detach it", c.assembly.Name, places(c.assembly.Members)))
			continue
		}
		out = append(out, c)
	}
	return out
}

func places(devices []*blockdev.Device) string {
	var names []string
	for _, d := range devices {
		names = append(names, d.Name)
	}
	sort.Strings(names)
	return strings.Join(names, ", ")
}

// mayBePV reports whether a device is looked at: it is no disk with partitions, and no volume
// itself.
func mayBePV(d *blockdev.Device, devices []*blockdev.Device) bool {
	if d.Size == 0 || d.Kind == blockdev.KindDM {
		return false
	}
	for _, other := range devices {
		if other.Partition != nil && other.PartitionOf(d, other.Partition.Number) {
			return false
		}
	}
	return true
}

// errBelow is the error for a label that belongs to what is on a device, not to the device.
var errBelow = errors.New("not a physical volume itself")

// label reads a device's label, and the metadata behind it. The label at the begin of a member of
// an md array is that of the array, whose superblock may be at the end.
func (l *Layer) label(d *blockdev.Device) (lvm.PV, error) {
	f, err := l.Open(filepath.Join(l.Dev, d.Name))
	if err != nil {
		return lvm.PV{}, err
	}
	defer func() { _ = f.Close() }()
	pv, err := lvm.ReadPV(f, d.Size)
	if err != nil {
		return pv, err
	}
	if d.OnMember(l.Open, l.Dev) {
		return pv, fmt.Errorf("%w: %s is a member of an md array", errBelow, d.Parents[0].Name)
	}
	if fsys, perr := blockdev.Probe(f, d.Size); perr == nil && fsys.Type != "LVM2_member" {
		return pv, fmt.Errorf("%w: it holds %s", errBelow, fsys.Type)
	}
	return pv, nil
}

// assembly is the Plan of a blockdev.Assembly.
type assembly struct {
	name    string // "vg/root"
	volumes []lvm.Volume
	unread  bool                    // only the kernel can read it: what is in it is not known
	lacks   []lvm.PhysicalVolume    // of its group, which the volume does not need
	numbers map[string]table.Number // of the devices, by name, once they are made
}

// wanted returns the volumes of a group that the search wants. A search by contents leaves out what
// lvm2 does not activate by itself, such as snapshots of thin volumes (lvchange
// --setactivationskip): they have the contents, and the UUID, of their origin.
func (l *Layer) wanted(g *lvm.Group) (out []candidate) {
	var members []*blockdev.Device
	for id := range g.Found {
		members = append(members, l.places[id])
	}
	options := lvm.Options{Degraded: l.Want.Degraded, SystemID: l.Want.Allow.SystemID.V}
	byContents := g.VG.Candidates(options)
	for i := range g.VG.LVs {
		lv := &g.VG.LVs[i]
		if lv.Hidden() {
			continue
		}
		u := use{name: g.VG.Name + "/" + lv.Name}
		inside := slices.Contains(byContents, lv)
		u.itself = l.Want.allows(g.VG.Name, lv.Name) && (l.Want.Name != "" || inside) && !slices.Contains(l.Want.Tried, u.name)
		u.member = inside && l.Want.allowsMember(g.VG.Name, lv.Name)
		if !u.itself && !u.member {
			if l.Want.Name == "" {
				l.foreign(g.VG.Refused(options))
			}
			l.Seen = append(l.Seen, fmt.Sprintf("%s (%d MiB)", u.name, lv.Extents()*uint64(g.VG.ExtentSectors)>>11))
			continue
		}
		plan, err := g.Plan(lv.Name, options)
		if err != nil {
			l.failed(u, err)
			continue
		}
		if u = l.matches(u, plan); !u.itself && !u.member {
			continue
		}
		cost := 0
		for _, v := range plan {
			cost += len(v.Modules)
		}
		a := &assembly{name: u.name, volumes: plan, unread: u.unread, lacks: g.Missing}
		out = append(out, candidate{blockdev.Assembly{Name: u.name, Members: members, Plan: a}, cost, !u.itself})
	}
	return out
}

// use is what a volume may be wanted for.
type use struct {
	name   string // "vg/root"
	itself bool   // it has the wanted name, or contents
	member bool   // of an md array
	unread bool   // only the kernel can read it: what is in it is not known
}

// failed notes why a volume cannot be made. For one that may not even hold root it is no message.
func (l *Layer) failed(u use, err error) {
	l.Seen = append(l.Seen, u.name+" (cannot be used)")
	if u.itself && (l.Want.Name != "" || errorAs[*lvm.MissingError](err)) {
		l.Errs = append(l.Errs, withHint(err))
	}
}

// foreign notes that a group belongs to another host, also where a search by contents leaves it
// out: this may be that host.
func (l *Layer) foreign(err error) {
	var refused *lvm.UnsupportedError
	if errors.As(err, &refused) && refused.SystemID != "" {
		l.Errs = append(l.Errs, withHint(err))
	}
}

// withHint adds what to do about a group of another host.
func withHint(err error) error {
	var refused *lvm.UnsupportedError
	if errors.As(err, &refused) && lvm.ValidSystemID(refused.SystemID) {
		return sequence.WithHint(err, "if it is the id of this machine, write rd.lvm.system_id="+refused.SystemID)
	}
	return err
}

func errorAs[T error](err error) bool {
	var target T
	return errors.As(err, &target)
}
