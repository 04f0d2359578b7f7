// Package arrays finds md arrays on disks, and starts those that a search for root wants.
//
// An array starts read-auto: nothing is written to its members before something is written to it
// (pkg/md/array). So a search by contents starts all that it can, and stops those that root does
// not stand on.
package arrays

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/md"
	"github.com/iscsiroot/iscsiroot/pkg/md/array"
)

// Layer is the layer of md arrays. It finds those only that a search wants.
type Layer struct {
	Sys, Dev string // the mount points of sysfs and devtmpfs
	Want     Filter
	Kernel   Kernel
	// Open opens a device for reading until the search ends.
	Open blockdev.Opener
	// Temporary reports whether an error of a read may be temporary.
	Temporary func(error) bool
	Warnf     func(format string, args ...any)
	Mine      map[string]bool // the arrays that were started, by the kernel's name; others are not stopped

	// The fields below are of the last Find.

	Seen   []string // the arrays, for messages
	Errs   []error  // why some cannot be used
	Unread []Unread // what could not be read, for a temporary reason

	named name                  // of the last Find
	read  map[string]superblock // of the devices, by name: each is read once
}

// Unread is a device that could not be read.
type Unread struct {
	Device *blockdev.Device
	Err    error
}

// Name implements blockdev.Layer.
func (*Layer) Name() string { return "md arrays" }

// assembly is the Plan of a blockdev.Assembly.
type assembly struct {
	id       bootspec.ArrayID
	set      md.UUID
	plan     md.Plan
	metadata string             // version of the superblocks: "1.2"
	start    []*blockdev.Device // the members to start it with, or that it runs with
	left     []md.Left          // that are not used
	lacks    int                // members that were not found
	node     string             // of an array that runs: "md127"
	link     string             // to it, below Layer.Dev: "md/root"
}

// Find implements blockdev.Layer. An array that runs is taken as it is.
func (l *Layer) Find(ctx context.Context, devices []*blockdev.Device) ([]blockdev.Assembly, error) {
	l.Seen, l.Errs, l.Unread = nil, nil, nil
	all, _ := md.Assemble(l.members(devices))
	for i := range all {
		l.Seen = append(l.Seen, fmt.Sprintf("array %s (%v on %s)", title(idOf(&all[i])), all[i].Level, places(&all[i])))
	}
	wanted, named, err := l.Want.wanted(all)
	l.named = named
	if err != nil {
		l.Errs = append(l.Errs, err)
	}
	running, err := l.running(devices)
	if err != nil {
		return nil, err
	}
	var out []blockdev.Assembly
	for _, a := range wanted {
		p := &assembly{
			id: idOf(a), set: a.Set, metadata: fmt.Sprintf("1.%d", a.Minor), left: a.Left, start: devicesOf(a.Members, devices), lacks: a.Lacks(),
		}
		members := slices.Clone(p.start) // also those left out: the array may take them back
		for i := range a.Left {
			members = append(members, devicesOf([]md.Member{a.Left[i].Member}, devices)...)
		}
		if at := among(p.start, running); at != nil {
			p.node, p.start, p.left = at.node, at.members, nil
		} else if p.plan, err = l.plan(ctx, a); err != nil {
			l.Errs = append(l.Errs, err)
			continue
		}
		out = append(out, blockdev.Assembly{Name: p.id.UUID, Members: members, Plan: p})
		if l.Want.Degraded && p.plan.Missing > 0 {
			break // it may be what another one lacks
		}
	}
	return out, nil
}

// Named returns the device that a search of bootspec.ByArray names. It goes by all arrays, also
// those that do not run: another one of that name must not be taken in the place of one that is not
// complete.
func (l *Layer) Named(devices []*blockdev.Device) []*blockdev.Device {
	for _, whole := range devices {
		if whole.Array == nil || whole.Array.UUID != l.named.uuid {
			continue
		}
		for _, d := range devices {
			if d.PartitionOf(whole, l.named.partition) {
				return []*blockdev.Device{d}
			}
		}
	}
	return nil
}

// plan returns how to start an array. One that is dirty and degraded is started only if the
// administrator has set the kernel's parameter for it.
func (l *Layer) plan(ctx context.Context, a *md.Array) (md.Plan, error) {
	o := md.Options{Degraded: l.Want.Degraded}
	p, err := a.Plan(o)
	var missing *md.MissingError
	if !errors.As(err, &missing) || !missing.Dirty {
		return p, err
	}
	_ = l.Kernel.Load(ctx, "md_mod") // has the parameter
	text, _ := os.ReadFile(filepath.Join(l.Sys, "module/md_mod/parameters/start_dirty_degraded"))
	o.DirtyDegraded = strings.TrimSpace(string(text)) == "1"
	return a.Plan(o)
}

// devicesOf returns the devices of members.
func devicesOf(members []md.Member, devices []*blockdev.Device) (out []*blockdev.Device) {
	for i := range members {
		for _, d := range devices {
			if d.Name == members[i].Place {
				out = append(out, d)
			}
		}
	}
	return out
}

// superblock is what was read of a device.
type superblock struct {
	md  md.Superblock
	err error
}

// members reads the superblocks of devices. What is on a member whose superblock is at the end is
// the array's, so its partitions, which the kernel shows too, are none.
func (l *Layer) members(devices []*blockdev.Device) (found []md.Found) {
	if l.read == nil {
		l.read = map[string]superblock{}
	}
	for _, d := range devices {
		if d.Size == 0 || d.Kind == blockdev.KindPartition && len(d.Parents) > 0 && l.memberAtEnd(d.Parents[0]) {
			continue
		}
		s, ok := l.read[d.Name]
		if !ok {
			s.md, s.err = l.superblock(d)
			l.read[d.Name] = s
		}
		switch {
		case s.err == nil && s.md.Minor != 0 && hasPartitions(d, devices):
			// Its table begins where the array's contents do not: one of the two is
			// left of an earlier use.
			l.Errs = append(l.Errs, fmt.Errorf("%s has partitions, and the superblock of a member of array %s, which is not used: wipe the one that is not in use (wipefs)", d.Name, s.md.Name))
		case s.err == nil:
			found = append(found, md.Found{Place: d.Name, Superblock: s.md})
		case l.Temporary(s.err):
			l.Unread = append(l.Unread, Unread{d, s.err})
		case isMember(s.err):
			l.Errs = append(l.Errs, fmt.Errorf("%s: %w", d.Name, s.err))
		}
	}
	return found
}

// isMember reports whether an error of md.Read is about a superblock, not about the read of a
// device.
func isMember(err error) bool {
	var path *fs.PathError
	return !errors.Is(err, md.ErrNone) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.As(err, &path)
}

// memberAtEnd reports whether a device that was read has a superblock at its end.
func (l *Layer) memberAtEnd(d *blockdev.Device) bool {
	s, ok := l.read[d.Name]
	return ok && s.err == nil && s.md.Minor == 0
}

func hasPartitions(d *blockdev.Device, devices []*blockdev.Device) bool {
	for _, other := range devices {
		if other.Partition != nil && other.PartitionOf(d, other.Partition.Number) {
			return true
		}
	}
	return false
}

func (l *Layer) superblock(d *blockdev.Device) (md.Superblock, error) {
	f, err := l.Open(filepath.Join(l.Dev, d.Name))
	if err != nil {
		return md.Superblock{}, err
	}
	defer func() { _ = f.Close() }()
	return md.Read(f, d.Size)
}

// running is an array that the kernel has.
type running struct {
	node    string
	members []*blockdev.Device // those of the search
}

// running lists the arrays that run on devices. One may end meanwhile.
func (l *Layer) running(devices []*blockdev.Device) (out []running, err error) {
	names, err := l.Kernel.List()
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // a kernel without any block device
		return nil, err
	}
	for _, name := range names {
		s, err := l.Kernel.State(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		r := running{node: name}
		for _, m := range s.Members {
			for _, d := range devices {
				if m.Number != (array.Number{}) && d.Number == blockdev.Number(m.Number) {
					r.members = append(r.members, d)
				}
			}
		}
		out = append(out, r)
	}
	return out, nil
}

// among returns the array that has any of these members; nil: none.
func among(members []*blockdev.Device, all []running) *running {
	for i := range all {
		for _, m := range all[i].members {
			if m.In(members) {
				return &all[i]
			}
		}
	}
	return nil
}
