package verb

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/md"
	"github.com/iscsiroot/iscsiroot/pkg/md/array"
	"github.com/iscsiroot/iscsiroot/pkg/status"
)

func mdstatVerb() Verb {
	return Verb{
		Name: "mdstat", Help: "the md arrays, those that run and those on the disks", Group: System,
		More: "members are shown with the session that they stand on, and with the progress of a resync\nan array that is not started is read from the superblocks of its members",
		Run: func(ctx context.Context, c *Call) error {
			running := status.Arrays("/sys")
			text, errs, err := otherArrays(ctx, "/sys", "/dev")
			if err != nil {
				return err
			}
			if running+text == "" {
				errs = append(errs, errors.New("there is no array"))
			}
			for _, err := range errs {
				_, _ = fmt.Fprintf(c.Err, "%s: %v\n", c.Name, err)
			}
			return c.Printf("%s%s", running, text)
		},
	}
}

// otherArrays describes what the superblocks on all disks, partitions and volumes tell beside the
// arrays that run: arrays that are not started, and members that are not used. errs are of some of
// the devices.
func otherArrays(ctx context.Context, sys, dev string) (text string, errs []error, err error) {
	devices, errs, err := allDevices(sys, true)
	if err != nil {
		return "", nil, err
	}
	var found []md.Found
	for _, d := range devices {
		if ctx.Err() != nil {
			return "", nil, ctx.Err()
		}
		switch s, err := superblock(ctx, sys, dev, d); {
		case err == nil:
			found = append(found, md.Found{Place: d.Name, Superblock: s})
		case !errors.Is(err, md.ErrNone):
			errs = append(errs, fmt.Errorf("%s: %w", d.Name, err))
		}
	}
	arrays, _ := md.Assemble(found) // the arrays have the problems
	used := usedMembers(sys)
	var out strings.Builder
	for i := range arrays {
		out.WriteString(describeArray(&arrays[i], used))
	}
	return out.String(), errs, nil
}

// errDown is for a disk whose session is down: a read would wait for it.
var errDown = errors.New("not read: its session is down")

func superblock(ctx context.Context, sys, dev string, d *blockdev.Device) (md.Superblock, error) {
	for _, disk := range d.Disks() {
		if disk.LUN == nil {
			continue
		}
		if state, _ := kernel.Sysfs(sys).Session(disk.LUN.Session, "state"); state != "LOGGED_IN" {
			return md.Superblock{}, errDown
		}
	}
	f, err := blockdev.Open(ctx, filepath.Join(dev, d.Name))
	if err != nil {
		return md.Superblock{}, err
	}
	defer func() { _ = f.Close() }()
	return md.Read(f, d.Size)
}

// usedMembers returns the names of the members of arrays that run.
func usedMembers(sys string) (out []string) {
	p := array.Paths{Sys: sys}
	names, _ := p.List() // none
	for _, name := range names {
		s, _ := p.State(name) // it has been stopped
		for _, m := range s.Members {
			out = append(out, m.Device)
		}
	}
	return out
}

// describeArray describes an array that is not started, and the members that one that runs does not
// use.
func describeArray(a *md.Array, used []string) string {
	var out strings.Builder
	inUse := func(m md.Member) bool { return slices.Contains(used, m.Place) }
	running := slices.ContainsFunc(a.Members, inUse)
	name := a.Name
	if name == "" {
		name = a.Set.String()
	}
	switch {
	case running && a.Conflict != nil:
		fmt.Fprintf(&out, "%v\n", a.Conflict)
	case !running:
		state := "not started"
		if _, err := a.Plan(md.Options{}); err != nil {
			state += ": " + err.Error()
		}
		fmt.Fprintf(&out, "%s (%s, %s): %s\n", name, a.Level, a.Set, state)
	}
	for _, m := range a.Members {
		switch {
		case running && !inUse(m):
			fmt.Fprintf(&out, "%s: member %s is not used\n", name, m.Place)
		case !running && m.Slot >= 0:
			fmt.Fprintf(&out, "  slot %-5d %s\n", m.Slot, m.Place)
		case !running:
			fmt.Fprintf(&out, "  %-10s %s\n", "no slot", m.Place)
		}
	}
	for _, l := range a.Left {
		if !inUse(l.Member) {
			fmt.Fprintf(&out, "%s: member %s is not used: %s\n", name, l.Place, l.Why)
		}
	}
	return out.String()
}

// allDevices lists the disks and arrays with their partitions, and, if maps is set, the devices of
// device-mapper. errs are of some of them.
func allDevices(sys string, maps bool) (devices []*blockdev.Device, errs []error, err error) {
	names, err := blockdev.Disks(sys)
	if err != nil {
		return nil, nil, err
	}
	arrays, _ := array.Paths{Sys: sys}.List() // none
	for _, name := range append(names, arrays...) {
		some, err := onDisk(sys, name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		devices = append(devices, some...)
	}
	if maps {
		devices = append(devices, blockdev.Maps(sys)...)
	}
	return devices, errs, nil
}
