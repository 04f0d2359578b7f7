package boot

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/switchroot"
)

// containers are what may hold what fstab names.
var containers = []string{"LVM2_member", "linux_raid_member", "crypto_LUKS"}

// namedBy returns the disks that an fstab names. hidden: it names what no disk has. Then
// those that may hold it are among them, and those that cannot be read.
func (m *Machine) namedBy(ctx context.Context, p paths, entries []switchroot.Entry) (named []string, hidden bool) {
	infos, unclear := m.inspectAll(ctx, p)
	for _, e := range entries {
		disks := m.disksOf(infos, e.Spec)
		named = append(named, disks...)
		hidden = hidden || len(disks) == 0 && (strings.HasPrefix(e.Spec, "/dev/") || strings.Contains(e.Spec, "="))
	}
	if !hidden {
		return named, false
	}
	for _, i := range infos {
		if slices.Contains(containers, i.FS.Type) {
			unclear = append(unclear, i.Disk)
		}
	}
	return append(named, unclear...), true
}

// inspectAll reads what is on the disks of the sessions. unclear are those that cannot
// be read. A session that does not answer is asked once.
func (m *Machine) inspectAll(ctx context.Context, p paths) (infos []blockdev.Info, unclear []string) {
	silent := map[int]bool{}
	for _, d := range m.disks {
		if silent[d.Session] {
			unclear = append(unclear, d.Name)
			continue
		}
		what := "reading the partitions and superblocks of " + d.Name
		found, err := askTarget(ctx, m, d.Session, askPatience, what, func(context.Context) ([]blockdev.Info, error) {
			return blockdev.Inspect(p.sys, p.dev, d.Name)
		})
		if err != nil {
			m.Log.Debugf("%v", err)
		}
		silent[d.Session] = heals(err)
		if err != nil && !errors.Is(err, blockdev.ErrNoTable) || len(m.unreadIn(d, found, err)) > 0 {
			unclear = append(unclear, d.Name)
		}
		infos = append(infos, found...)
	}
	return infos, unclear
}

// disksOf returns the disks of a device as fstab names it.
func (m *Machine) disksOf(infos []blockdev.Info, spec string) []string {
	want, ok := bootspec.ParseDevice(spec)
	if !ok {
		return nil
	}
	var out []string
	for _, i := range blockdev.Find(infos, want) {
		out = append(out, i.Disk)
	}
	for at, d := range m.disks {
		there := func(i blockdev.Info) bool { return i.Disk == d.Name && i.Partition == want.Partition }
		if d.is(at, want) && slices.ContainsFunc(infos, there) {
			return append(out, d.Name) // the first one counts
		}
	}
	return out
}
