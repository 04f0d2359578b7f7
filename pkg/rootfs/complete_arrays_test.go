package rootfs

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/md"
)

// memberMaker writes a member to a disk.
type memberMaker func(k *fakeArrays, disk string)

// memberLUNs are targets on whose LUNs members of arrays are.
type memberLUNs struct {
	*fakeLUNs
	kernel *fakeArrays
	make   map[lunOf]memberMaker // others are empty
}

func (f *memberLUNs) Attach(ctx context.Context, i int, lun uint64) ([]blockdev.LUN, error) {
	units, err := f.fakeLUNs.Attach(ctx, i, lun)
	for _, u := range units {
		f.kernel.addDisk(u.Disk, fmt.Sprintf("8:%d", 16*int(u.Disk[2]-'a')))
		if fill := f.make[lunOf{i, lun}]; fill != nil {
			fill(f.kernel, u.Disk)
		}
	}
	return units, err
}

// The members without which root's arrays run are looked for on the LUNs that no source names, and
// those LUNs stay attached. Nothing is started with them, and the others are detached.
func TestMembersOnOtherLUNs(t *testing.T) {
	sb, _ := ext4(t)
	part := func(set byte, slot int, events uint64, empty ...int) memberMaker {
		m := member{minor: 2, set: set, name: "root", level: md.RAID1, slots: 3, slot: slot, events: events, empty: empty}
		return func(k *fakeArrays, disk string) {
			m.device = disk
			k.add(m)
			k.write(disk, m.dataOffset(), sb)
		}
	}
	onPartition := func(k *fakeArrays, disk string) {
		k.partition(disk, 1, 2048, 131072)
		k.add(member{device: disk + "1", minor: 2, set: 1, name: "root", level: md.RAID1, slots: 3, slot: 2, events: 3, size: 131072})
	}
	belowVolume := func(k *fakeArrays, disk string) {
		m := member{device: disk, minor: 2, set: 1, name: "pv", level: md.RAID1, slots: 2, events: 20, empty: []int{1}}
		k.add(m)
		k.write(disk, m.dataOffset(), groupOn(t, sb))
	}
	for _, tt := range []struct {
		name   string
		root   string
		luns   [][]uint64
		make   map[lunOf]memberMaker
		events string
		left   string
		log    []string
		silent string // is not logged
	}{
		{
			"empty slots", "root=/dev/md/root",
			[][]uint64{{0, 1, 2, 3, 4}},
			map[lunOf]memberMaker{{0, 0}: part(1, 0, 20, 1, 2), {0, 2}: part(1, 1, 5), {0, 3}: part(1, 2, 7)},
			"0:1 is sdb, 0:2 is sdc, 0:3 is sdd, 0:1 off", "0:0 0:2 0:3",
			[]string{"array root lacks 2 of its members: looking at 4 more LUNs", "sdc is a member of an array in use", "sdd is a member"},
			"not found",
		},
		{
			"on a partition", "root=/dev/md/root",
			[][]uint64{{0}, {0, 1}},
			map[lunOf]memberMaker{{0, 0}: part(1, 0, 20, 1, 2), {1, 1}: onPartition},
			"1:1 is sdc", "0:0 1:0 1:1",
			[]string{"sdc1 is a member of an array in use", "warning array root lacks 1 of its members: they were not found on the LUNs of the targets"},
			"",
		},
		{
			"below a volume", "root=/dev/vg/root",
			[][]uint64{{0, 1, 2}},
			map[lunOf]memberMaker{{0, 0}: belowVolume, {0, 1}: part(2, 0, 20), {0, 2}: part(1, 1, 5)},
			"0:1 is sdb, 0:2 is sdc, 0:1 off", "0:0 0:2",
			[]string{"sdc is a member of an array in use"},
			"not found",
		},
		{
			"nowhere", "root=/dev/md/root",
			[][]uint64{{0, 1}},
			map[lunOf]memberMaker{{0, 0}: part(1, 0, 20, 1, 2), {0, 1}: part(2, 1, 20)},
			"0:1 is sdb, 0:1 off", "0:0",
			[]string{"warning array root lacks 2 of its members: they were not found"},
			"stays attached",
		},
		{
			"attached in search of /usr", "root=/dev/md/root",
			[][]uint64{{0, 1, 2}},
			map[lunOf]memberMaker{{0, 0}: part(1, 0, 20, 1, 2), {0, 1}: part(1, 1, 5), {0, 2}: part(1, 2, 20, 1)},
			"0:1 is sdb, 0:2 is sdc", "0:0 0:1 0:2", nil, "looking at",
		},
		{
			"attached in search of another", "root=/dev/md/root",
			[][]uint64{{0, 1, 2, 3}},
			map[lunOf]memberMaker{{0, 0}: part(1, 0, 20, 1), {0, 1}: part(1, 1, 5), {0, 2}: part(1, 2, 20, 1)},
			"0:1 is sdb, 0:2 is sdc", "0:0 0:1 0:2", nil, "lacks 1 of its members",
		},
		{
			"attached and out of date", "root=/dev/md/root",
			[][]uint64{{0, 1}, {0}, {0}},
			map[lunOf]memberMaker{{0, 0}: part(1, 0, 20, 1), {1, 0}: part(1, 1, 5), {2, 0}: part(1, 2, 20, 1)},
			"", "0:0 1:0 2:0", nil, "lacks 1 of its members",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			st, k := arrayDisks(t, 0, tt.root)
			root := st.Spec.Root
			st, log := withSessions(len(tt.luns))
			st.Spec.Root, st.volumes, st.arrays = root, k, k
			f := &memberLUNs{&fakeLUNs{luns: tt.luns}, k, tt.make}
			st.luns = f
			st.Spec.Multipath.On = bootspec.Value[bool]{From: "nompath"} // the disks have no facts
			f.have = make([][]blockdev.LUN, len(tt.luns))
			for i := range tt.luns {
				units, err := f.Attach(t.Context(), i, 0)
				if err != nil {
					t.Fatal(err)
				}
				st.disks = append(st.disks, newDisk(units[0]))
				st.Spec.Targets[i].LUN = bootspec.Value[iscsi.LUN]{From: "iscsi_lun="}
			}
			f.events = nil
			found, err := k.findEverywhere(st)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(tt.name, "/usr") {
				_ = st.newRootSearch("/usr").onOtherLUNs(t.Context(), st.lacking(), finder{at: func([]*blockdev.Device) error { return &notFoundError{} }})
			}
			k.used, k.busy = "md127", "vg-root"
			started := fmt.Sprint(k.run)
			logged := len(log.Lines())
			st.complete(t.Context(), k.paths)
			st.detachOthers(t.Context(), Volume{Device: found[0]}, rootWith(t, ""), k.paths)
			if got := strings.Join(f.events, ", "); got != tt.events {
				t.Errorf("%s, want %s", got, tt.events)
			}
			if got := left(t, st, f.fakeLUNs); got != tt.left {
				t.Errorf("left are %s, want %s", got, tt.left)
			}
			if now := fmt.Sprint(k.run); now != started {
				t.Errorf("the arrays run as %s, before as %s", now, started)
			}
			shown := strings.Join(log.Lines()[logged:], "\n")
			for _, text := range tt.log {
				if !strings.Contains(shown, text) {
					t.Errorf("not logged: %q in %q", text, shown)
				}
			}
			if tt.silent != "" && strings.Contains(shown, tt.silent) {
				t.Errorf("logged %q", shown)
			}
		})
	}
}
