package boot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

// notFoundError says that no disk that we may look at has the device. It may
// still come.
type notFoundError struct {
	what string // "/usr"; empty: root
	want bootspec.Device
	any  bool // all disks were looked at
	absence
}

func (e *notFoundError) Error() string {
	text := "the disks of our sessions have no such device"
	if e.any {
		text = "no disk has such a device"
	}
	return fmt.Sprintf("%s %s: %s", cmp.Or(e.what, "root"), e.want, text) + describeUnread(e.unread)
}

// Hint lists what there is instead.
func (e *notFoundError) Hint() string {
	where := "root="
	if e.what != "" {
		where = e.what + " in root's etc/fstab"
	}
	if len(e.seen) == 0 {
		return "correct " + where + ": there is no disk"
	}
	return "correct " + where + ": there is " + strings.Join(e.seen, ", ")
}

// paths are where the kernel shows its devices.
type paths struct{ sys, dev string }

var kernelPaths = paths{"/sys", "/dev"}

// search lists the devices that want names, the likeliest first; none is a
// *notFoundError. A disk is counted in the order of the sessions, and the first
// letter stands for whichever disk of the first target has the partition, if the
// LUN was left open and there are several.
func (m *Machine) search(ctx context.Context, p paths, want bootspec.Device) ([]blockdev.Device, error) {
	disks := m.disks
	if want.By != bootspec.BySession && want.By != bootspec.ByPath && m.spec.Root.AnyDisk.V {
		others, err := blockdev.Disks(p.sys)
		if err != nil {
			return nil, err
		}
		for _, name := range others {
			if !slices.ContainsFunc(disks, func(d disk) bool { return d.Name == name }) {
				disks = append(slices.Clip(disks), disk{Name: name})
			}
		}
	}
	return m.searchAt(ctx, p, want, disks)
}

// searchAt searches disks only; a name by which disks are counted, or that stands
// for a LUN, needs no look at any.
func (m *Machine) searchAt(ctx context.Context, p paths, want bootspec.Device, disks []disk) ([]blockdev.Device, error) {
	switch want.By {
	case bootspec.BySession:
		return searchNames(p, m.counted(false), want)
	case bootspec.ByPath:
		return searchNames(p, m.disks, want)
	}
	return m.searchInside(ctx, p, disks, want)
}

// is tells whether a disk, the i-th that counts, has a name that says nothing of what
// is on it.
func (d disk) is(i int, want bootspec.Device) bool {
	switch want.By {
	case bootspec.BySession:
		return want.Disk == i || want.Disk == 0 && d.Session == 0
	case bootspec.ByPath:
		return d.Target == want.Text && slices.Contains(d.Portals, want.Portal) && d.LUN == uint64(want.LUN)
	}
	return false
}

// searchNames is for names that need nothing but the kernel's list of disks.
func searchNames(p paths, disks []disk, want bootspec.Device) ([]blockdev.Device, error) {
	var out []blockdev.Device
	missing := &notFoundError{want: want}
	for i, d := range disks {
		whole, parts, err := blockdev.Disk(p.sys, d.Name)
		if err != nil {
			return nil, err
		}
		ok := d.is(i, want)
		if whole.Size == 0 {
			missing.unread = append(missing.unread, unread{d.Name, errNoSize})
		}
		for _, dev := range append([]blockdev.Device{whole}, parts...) {
			missing.seen = append(missing.seen, fmt.Sprintf("%s (%d MiB)", dev.Name, dev.Size>>20))
			if ok && dev.Partition == want.Partition && dev.Size > 0 {
				out = append(out, dev)
			}
		}
	}
	if len(out) == 0 {
		return nil, missing
	}
	return out, nil
}

// searchInside is for names that stand in superblocks and partition tables.
func (m *Machine) searchInside(ctx context.Context, p paths, disks []disk, want bootspec.Device) ([]blockdev.Device, error) {
	var infos []blockdev.Info
	missing := &notFoundError{want: want, any: m.spec.Root.AnyDisk.V}
	for _, d := range disks {
		end := doing(ctx, "reading the partitions and superblocks of "+d.Name)
		found, err := blockdev.Inspect(p.sys, p.dev, d.Name)
		end()
		if errors.Is(err, blockdev.ErrNoTable) {
			m.Log.Debugf("%v", err)
		} else if err != nil {
			m.Log.Warnf("%v", err) // root may be on another disk
		}
		infos = append(infos, found...)
		missing.unread = append(missing.unread, m.unreadIn(d, found, err)...)
		for _, i := range found {
			missing.seen = append(missing.seen, i.Describe())
		}
	}
	var out []blockdev.Device
	for _, i := range blockdev.Find(infos, want) {
		out = append(out, i.Device)
	}
	if len(out) == 0 {
		return nil, missing
	}
	return out, nil
}

// unreadIn tells whether a disk of ours could not be read, for a reason that may
// pass; err is of its partition table.
func (m *Machine) unreadIn(d disk, found []blockdev.Info, err error) []unread {
	ours := slices.ContainsFunc(m.disks, func(other disk) bool { return other.Name == d.Name })
	switch {
	case !ours:
		return nil
	case len(found) > 0 && found[0].Size == 0:
		return []unread{{d.Name, errNoSize}}
	case passes(err):
		return []unread{{d.Name, err}}
	}
	for _, i := range found {
		if passes(i.FSErr) {
			return []unread{{d.Name, i.FSErr}}
		}
	}
	return nil
}

// everything lists all devices of the sessions' disks, for a root that nobody
// named.
func (m *Machine) everything(p paths) ([]blockdev.Device, error) {
	return devicesOf(p, m.counted(true))
}

// devicesOf lists the devices of disks, the likeliest of each first.
func devicesOf(p paths, disks []disk) ([]blockdev.Device, error) {
	var out []blockdev.Device
	for _, d := range disks {
		whole, parts, err := blockdev.Disk(p.sys, d.Name)
		if err != nil {
			return nil, err
		}
		out = append(out, likely(whole, parts)...)
	}
	return out, nil
}

// likely orders a disk's devices: partition 2, where the HOWTO has root, the
// other partitions, the whole disk.
func likely(whole blockdev.Device, parts []blockdev.Device) []blockdev.Device {
	var second, rest []blockdev.Device
	for _, p := range parts {
		if p.Partition == 2 {
			second = append(second, p)
		} else {
			rest = append(rest, p)
		}
	}
	return append(append(second, rest...), whole)
}
