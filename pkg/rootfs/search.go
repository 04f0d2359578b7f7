package rootfs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/lvm"
	"github.com/iscsiroot/iscsiroot/pkg/md"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/arrays"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/reads"
)

// notFoundError reports that no disk that may be searched has the device. It may appear later.
type notFoundError struct {
	what string // "/usr"; empty: root
	want bootspec.Device
	any  bool // all disks were searched
	absence
}

func (e *notFoundError) Error() string {
	text := "no such device on the disks of the iSCSI sessions"
	if e.any {
		text = "no disk has such a device"
	}
	return fmt.Sprintf("%s %s: %s", cmp.Or(e.what, "root"), e.want, text) + e.describe()
}

// Hint lists the devices that exist.
func (e *notFoundError) Hint() string {
	where := "root="
	if e.what != "" {
		where = e.what + " in root's etc/fstab"
	}
	if h := e.hint(); h != "" {
		return h
	}
	var volume *lvm.MissingError
	if e.want.By == bootspec.ByVolume && slices.ContainsFunc(e.causes, func(err error) bool { return errors.As(err, &volume) }) {
		return "check that each target of the volume group is named, and exports its LUNs to this initiator"
	}
	var array *md.MissingError
	if slices.ContainsFunc(e.causes, func(err error) bool { return errors.As(err, &array) }) {
		return "check that each target of the array is named, and exports its LUNs to this initiator"
	}
	if len(e.seen) == 0 {
		return "correct " + where + ": there is no disk"
	}
	return "correct " + where + ": there is " + strings.Join(e.seen, ", ")
}

// paths are the mount points of sysfs and devtmpfs.
type paths struct{ sys, dev string }

var kernelPaths = paths{"/sys", "/dev"}

// search lists the devices that want names, the likeliest first; none is a *notFoundError. Disks
// are counted in the order of the sessions, and if no source names the LUN of the first target and
// it has several, the first letter stands for the disk that has the partition.
func (st *Storage) search(ctx context.Context, p paths, want bootspec.Device) ([]*blockdev.Device, error) {
	disks := st.allDisks()
	if want.By != bootspec.BySession && want.By != bootspec.ByPath && st.Spec.Root.AnyDisk.V {
		others, err := blockdev.Disks(p.sys)
		if err != nil {
			return nil, err
		}
		for _, name := range others {
			if d := (&blockdev.Device{Name: name}); !st.known(blockdev.LUN{Disk: name}) && blockdev.PathOf(p.sys, name) == nil {
				disks = append(disks, d) // the keeper may have added a path meanwhile
			}
		}
	}
	return st.searchAt(ctx, p, want, disks)
}

// searchAt searches disks only. A name by which disks are counted, or that stands for a LUN, is
// found without reading any.
func (st *Storage) searchAt(ctx context.Context, p paths, want bootspec.Device, disks []*blockdev.Device) ([]*blockdev.Device, error) {
	switch want.By {
	case bootspec.BySession:
		return st.searchNames(ctx, p, st.counted(false), want)
	case bootspec.ByPath:
		return st.searchNames(ctx, p, st.allDisks(), want)
	}
	return st.searchInside(ctx, p, disks, want)
}

// is reports whether a disk, the i-th in the count, has a name that does not depend on its
// contents.
func (st *Storage) is(d *blockdev.Device, i int, want bootspec.Device) bool {
	switch want.By {
	case bootspec.BySession:
		return want.Disk == i || want.Disk == 0 && st.countedAt(d) == 0
	case bootspec.ByPath:
		return slices.ContainsFunc(st.lunsOf(d), func(u sessionLUN) bool {
			return st.Sessions.List()[u.session].Target == want.Text && u.Number == uint64(want.LUN) && st.hasPortal(u.session, want.Portal)
		})
	}
	return false
}

// hasPortal reports whether a session, or another path to its target, goes to a portal: also one
// that does not answer, and has no disk.
func (st *Storage) hasPortal(i int, portal netip.AddrPort) bool {
	return slices.ContainsFunc(st.paths(i), func(n int) bool {
		return slices.Contains(st.Sessions.List()[n].KnownPortals(), portal) || slices.ContainsFunc(st.Spec.Targets[n].Portals, func(p bootspec.Value[bootspec.Portal]) bool {
			addr, ok := p.V.Addr()
			return ok && netip.AddrPortFrom(addr.Unmap(), p.V.Port) == portal
		})
	})
}

// searchNames searches for names that are found in the kernel's list of disks.
func (st *Storage) searchNames(ctx context.Context, p paths, disks []*blockdev.Device, want bootspec.Device) ([]*blockdev.Device, error) {
	var out []*blockdev.Device
	missing := &notFoundError{want: want}
	r := st.newReads(ctx)
	defer r.End()
	standing := st.stackOf(ctx, p, disks, wants{}, r)
	missing.add(standing)
	for i, d := range disks {
		devices, err := standing.On(d)
		if err != nil {
			return nil, err
		}
		ok := st.is(d, i, want)
		if devices[0].Size == 0 {
			missing.unread = append(missing.unread, reads.Unread{Disk: d.Name, Err: reads.ErrNoSize})
		}
		for _, dev := range devices {
			missing.seen = append(missing.seen, fmt.Sprintf("%s (%d MiB)", dev.Name, dev.Size>>20))
			if ok && dev.PartitionOf(d, want.Partition) && dev.Size > 0 {
				out = append(out, dev)
			}
		}
	}
	if len(out) == 0 {
		return nil, missing
	}
	return out, nil
}

// searchInside searches for names that are found in superblocks, partition tables and the metadata
// of arrays and volumes: first without arrays, which have to be started to be read, then on all
// that can be started, and then in volumes whose contents only the kernel can read. What was
// activated stays only if such a device stands on it.
func (st *Storage) searchInside(ctx context.Context, p paths, disks []*blockdev.Device, want bootspec.Device) ([]*blockdev.Device, error) {
	w := st.wantsFor(want)
	out, hidden, err := st.searchWith(ctx, p, disks, want, w)
	if a := absenceOf(err); a != nil && slices.ContainsFunc(a.causes, errorAs[*arrays.CopyError]) {
		return out, err
	}
	if on, ok := w.onArrays(st.degraded); ok && absent(err) {
		w = on
		out, hidden, err = st.searchWith(ctx, p, disks, want, w)
	}
	if hidden && absent(err) {
		w.volumes = w.volumes.WithHidden()
		out, _, err = st.searchWith(ctx, p, disks, want, w)
	}
	return out, err
}

// searchWith is searchInside with these arrays and volumes. hidden: there are other volumes that
// only the kernel can read.
func (st *Storage) searchWith(ctx context.Context, p paths, disks []*blockdev.Device, want bootspec.Device, w wants) (out []*blockdev.Device, hidden bool, err error) {
	var all []*blockdev.Device
	missing := &notFoundError{want: want, any: st.Spec.Root.AnyDisk.V}
	r := st.newReads(ctx)
	defer r.End()
	standing := st.stackOf(ctx, p, disks, w, r)
	defer func() { st.active.DeactivateOthers(ctx, out) }()
	for _, d := range disks {
		read := r.On(d.Name)
		if err := read.Err(); err != nil && ctx.Err() == nil {
			missing.unread = append(missing.unread, reads.Unread{Disk: d.Name, Err: fmt.Errorf("is not read: %w", err)})
			continue // what stands on it may stand on others too
		}
		end := sequence.Blocking(ctx, "reading the partitions and superblocks of "+d.Name)
		found, err := standing.Inspect(read, p.sys, p.dev, d)
		end()
		if errors.Is(err, blockdev.ErrNoTable) {
			st.Log.Debugf("%v", err)
		} else if err != nil {
			st.Log.Warnf("%v", err) // root may be on another disk
		}
		missing.unread = append(missing.unread, st.unreadIn(d, found, err)...)
		for _, dev := range found {
			if !dev.In(all) { // an array or a volume may stand on several disks
				all = append(all, dev)
				missing.seen = append(missing.seen, dev.Describe())
			}
		}
	}
	out = blockdev.Find(all, want)
	if want.By == bootspec.ByArray && standing.Arrays != nil {
		out = standing.Arrays.Named(all)
	}
	if len(out) > 0 {
		if err := st.arrayLayer(r, p, arrays.Filter{}).Copy(all, out, want); err != nil {
			missing.addCauses([]error{err})
			return nil, false, missing
		}
		return out, false, nil
	}
	missing.add(standing)
	return nil, standing.Volumes != nil && standing.Volumes.Hidden, missing
}

// unreadIn lists the disks of the sessions that could not be read, for a temporary reason; err is
// of its partition table.
func (st *Storage) unreadIn(d *blockdev.Device, found []*blockdev.Device, err error) []reads.Unread {
	switch {
	case !d.In(st.allDisks()):
		return nil
	case len(found) > 0 && found[0].Size == 0:
		return []reads.Unread{{Disk: d.Name, Err: reads.ErrNoSize}}
	case reads.Temporary(err):
		return []reads.Unread{{Disk: d.Name, Err: err}}
	}
	for _, dev := range found {
		if reads.Temporary(dev.Content.Err) {
			return []reads.Unread{{Disk: d.Name, Err: dev.Content.Err}}
		}
	}
	return nil
}
