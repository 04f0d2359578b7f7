package verb

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/lvm"
)

func lvsVerb() Verb {
	return Verb{
		Name: "lvs", Help: "the logical volumes on the disks", Group: System,
		More: "a volume is active if the kernel has a device of it; physical volumes that a group lacks are listed below it",
		Run: func(ctx context.Context, c *Call) error {
			groups, errs, err := volumeGroups(ctx, "/sys", "/dev")
			if err != nil {
				return err
			}
			for i := range groups {
				if err := c.Printf("%s", describeGroup(&groups[i], "/sys")); err != nil {
					return err
				}
			}
			if len(groups) == 0 {
				errs = append(errs, errors.New("there is no physical volume"))
			}
			for _, err := range errs {
				_, _ = fmt.Fprintf(c.Err, "%s: %v\n", c.Name, err)
			}
			return nil
		},
	}
}

// volumeGroups reads the labels of all disks, arrays and partitions. errs are of some of them.
func volumeGroups(ctx context.Context, sys, dev string) (groups []lvm.Group, errs []error, err error) {
	devices, errs, err := allDevices(sys, false)
	if err != nil {
		return nil, nil, err
	}
	var found []lvm.Found
	for _, d := range devices {
		pv, err := readLabel(ctx, dev, d)
		switch {
		case ctx.Err() != nil:
			return nil, nil, ctx.Err()
		case err == nil:
			found = append(found, lvm.Found{Place: d.Name, PV: pv})
		case !errors.Is(err, lvm.ErrNoLabel):
			errs = append(errs, fmt.Errorf("%s: %w", d.Name, err))
		}
	}
	groups, problems := lvm.Assemble(found)
	return groups, append(errs, problems...), nil
}

// readLabel reads the label of a physical volume. On a member of an array whose superblock is at
// its end it is the array's.
func readLabel(ctx context.Context, dev string, d *blockdev.Device) (lvm.PV, error) {
	f, err := blockdev.Open(ctx, filepath.Join(dev, d.Name))
	if err != nil {
		return lvm.PV{}, err
	}
	defer func() { _ = f.Close() }()
	pv, err := lvm.ReadPV(f, d.Size)
	if err != nil {
		return pv, err
	}
	if fsys, err := blockdev.Probe(f, d.Size); err == nil && fsys.Type != "LVM2_member" {
		return pv, lvm.ErrNoLabel
	}
	return pv, nil
}

// describeGroup lists a group's volumes, each with its size, type and state, and what is missing.
func describeGroup(g *lvm.Group, sys string) string {
	active := map[string]bool{}
	for _, d := range blockdev.Maps(sys) {
		active[d.Map] = true
	}
	var out strings.Builder
	for i := range g.VG.LVs {
		lv := &g.VG.LVs[i]
		if lv.Hidden() {
			continue
		}
		state := "not active"
		if active[lvm.DMName(g.VG.Name, lv.Name, "")] {
			state = "active"
		}
		fmt.Fprintf(&out, "%s/%s (%d MiB, %s): %s\n", g.VG.Name, lv.Name, lv.Extents()*uint64(g.VG.ExtentSectors)>>11, lv.Kind(), state)
	}
	for _, pv := range g.Missing {
		fmt.Fprintf(&out, "%s lacks the physical volume %s\n", g.VG.Name, pv)
	}
	return out.String()
}
