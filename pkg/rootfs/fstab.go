package rootfs

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/calls"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/scan"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/stack"
	"github.com/iscsiroot/iscsiroot/pkg/switchroot"
)

// containers are the types of content that may hold the devices of an fstab.
var containers = []string{"LVM2_member", "linux_raid_member", "crypto_LUKS"}

// namedBy returns the disks that an fstab names. hidden: it names a device that was not found. The
// disks that may hold it are then included, and those that cannot be read.
func (st *Storage) namedBy(ctx context.Context, p paths, entries []switchroot.Entry) (named []string, hidden bool) {
	devices, unclear := st.inspectAll(ctx, p)
	for _, e := range entries {
		disks := st.disksOf(devices, e.Spec)
		named = append(named, disks...)
		hidden = hidden || len(disks) == 0 && (strings.HasPrefix(e.Spec, "/dev/") || strings.Contains(e.Spec, "="))
	}
	if !hidden {
		return named, false
	}
	for _, d := range devices {
		if slices.Contains(containers, d.Content.FS.Type) {
			unclear = append(unclear, diskNames(d)...)
		}
	}
	return append(named, unclear...), true
}

// inspectAll reads what is on the disks of the sessions. unclear are those that cannot be read. A
// session that does not respond is tried once.
func (st *Storage) inspectAll(ctx context.Context, p paths) (devices []*blockdev.Device, unclear []string) {
	silent := map[int]bool{}
	for _, d := range st.allDisks() {
		i := st.answering(d)
		if i < 0 || silent[i] {
			unclear = append(unclear, st.pathNames(d)...)
			continue
		}
		what := "reading the partitions and superblocks of " + d.Name
		found, err := calls.Ask(ctx, &st.calls, st.Sessions, st.Sessions.List()[i], scan.AskLimit, what, func(context.Context) ([]*blockdev.Device, error) {
			// Only partitions: this may outlive the call, so it must not activate
			// anything. The reads are left with the step: calls.Ask has the limit.
			disk := []*blockdev.Device{d}
			return stack.Stand(ctx, p.sys, []blockdev.Layer{&stack.Partitions{Sys: p.sys, Mapped: true}}, disk).Inspect(ctx, p.sys, p.dev, d)
		})
		if err != nil {
			st.Log.Debugf("%v", err)
		}
		silent[i] = sequence.Retryable(err)
		if err != nil && !errors.Is(err, blockdev.ErrNoTable) || len(st.unreadIn(d, found, err)) > 0 {
			unclear = append(unclear, st.pathNames(d)...)
		}
		devices = append(devices, found...)
	}
	return devices, unclear
}

// disksOf returns the disks of a device as fstab names it.
func (st *Storage) disksOf(devices []*blockdev.Device, spec string) []string {
	want, ok := bootspec.ParseDevice(spec)
	if !ok {
		return nil
	}
	var out []string
	for _, d := range blockdev.Find(devices, want) {
		out = append(out, diskNames(d)...)
	}
	for at, disk := range st.allDisks() {
		there := func(d *blockdev.Device) bool { return d.PartitionOf(disk, want.Partition) }
		if st.is(disk, at, want) && slices.ContainsFunc(devices, there) {
			return append(out, st.pathNames(disk)...) // the first one is used
		}
	}
	return out
}

// pathNames returns the names of a map's paths, or of a disk itself.
func (st *Storage) pathNames(d *blockdev.Device) (out []string) {
	for _, u := range st.lunsOf(d) {
		out = append(out, u.Disk)
	}
	if len(out) == 0 {
		out = []string{d.Name}
	}
	return out
}

// diskNames are the names of the disks that a device stands on.
func diskNames(d *blockdev.Device) []string {
	var out []string
	for _, disk := range d.Disks() {
		out = append(out, disk.Name)
	}
	return out
}
