package rootfs

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/internal/steptest"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// areaLUNs are targets on whose LUNs the disks of a case of pkg/lvm/testdata are: a group whose
// volume vg/root is on the first two, and that has four.
type areaLUNs struct {
	*fakeLUNs
	kernel *fakeKernel
	files  map[lunOf]string // others are empty
}

func (f *areaLUNs) Attach(ctx context.Context, i int, lun uint64) ([]blockdev.LUN, error) {
	units, err := f.fakeLUNs.Attach(ctx, i, lun)
	for _, u := range units {
		at := int(u.Disk[2] - 'a')
		if file := f.files[lunOf{i, lun}]; file != "" {
			f.kernel.disk(u.Disk, at, "../lvm/testdata/areas/"+file+".gz")
			continue
		}
		writeFiles(f.kernel.t, map[string]string{
			filepath.Join(f.kernel.paths.sys, "class/block", u.Disk, "size"): "16\n",
			filepath.Join(f.kernel.paths.sys, "class/block", u.Disk, "dev"):  fmt.Sprintf("8:%d\n", 16*at),
			filepath.Join(f.kernel.paths.dev, u.Disk):                        strings.Repeat("\x00", 8192),
		})
	}
	return units, err
}

// The LUNs that no source names are searched for the members of root's volume group, first for
// those that root needs, then for the others, until the group is whole. The LUNs without any are
// detached.
func TestGroupOnOtherLUNs(t *testing.T) {
	const a, b, c, d = "254-0", "254-16", "254-32", "254-48"
	for _, tt := range []struct {
		name   string
		luns   [][]uint64
		files  map[lunOf]string
		events string
		left   string
		lacks  int // physical volumes in the warning
	}{
		{
			"one target",
			[][]uint64{{0, 1, 2, 3, 4, 5, 6}},
			map[lunOf]string{{0, 0}: a, {0, 2}: b, {0, 4}: c, {0, 5}: d},
			"0:1 is sdb, 0:2 is sdc, 0:3 is sdd, 0:4 is sde, 0:5 is sdf, 0:1 off, 0:3 off", "0:0 0:2 0:4 0:5", 0,
		},
		{
			"two targets",
			[][]uint64{{0, 1}, {0, 1}},
			map[lunOf]string{{0, 0}: d, {0, 1}: a, {1, 0}: c, {1, 1}: b},
			"0:1 is sdc, 1:1 is sdd", "0:0 0:1 1:0 1:1", 0,
		},
		{
			"one is nowhere",
			[][]uint64{{0, 1, 2}},
			map[lunOf]string{{0, 0}: a, {0, 1}: b, {0, 2}: d},
			"0:1 is sdb, 0:2 is sdc", "0:0 0:1 0:2", 1,
		},
		{
			"attached in search of root",
			[][]uint64{{0, 1, 2}},
			map[lunOf]string{{0, 0}: a, {0, 1}: c, {0, 2}: b},
			"0:1 is sdb, 0:2 is sdc", "0:0 0:1 0:2", 1,
		},
		{"all are there", [][]uint64{{0, 5}, {0}, {0}, {0}}, map[lunOf]string{{0, 0}: a, {1, 0}: b, {2, 0}: c, {3, 0}: d}, "", "0:0 1:0 2:0 3:0", 0},
		{"root is nowhere", [][]uint64{{0, 1}}, map[lunOf]string{{0, 0}: a}, "0:1 is sdb", "", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			st, k := volumeDisks(t, "areas", "root=/dev/vg/root")
			root := st.Spec.Root
			st, log := withSessions(len(tt.luns))
			st.Spec.Root, st.volumes = root, k
			f := &areaLUNs{&fakeLUNs{luns: tt.luns}, k, tt.files}
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
			if tt.left == "" {
				if !absent(err) || !strings.Contains(err.Error(), "physical volumes are missing") || strings.Join(f.events, ", ") != tt.events {
					t.Errorf("%v after %v", err, f.events)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			k.busy = "vg-root"
			st.complete(t.Context(), k.paths)
			st.detachOthers(t.Context(), Volume{Device: found[0]}, rootWith(t, ""), k.paths)
			if got := strings.Join(f.events, ", "); got != tt.events {
				t.Errorf("%s, want %s", got, tt.events)
			}
			if got := left(t, st, f.fakeLUNs); got != tt.left {
				t.Errorf("left are %s, want %s", got, tt.left)
			}
			shown := strings.Join(log.Lines(), "\n")
			const text = "warning volume group vg lacks physical volumes that root does not need: "
			if _, lacks, _ := strings.Cut(shown, text); strings.Count(lacks, "(once /dev/vd") != tt.lacks {
				t.Errorf("logged %q", log.Lines())
			}
		})
	}
}

// findEverywhere searches for root on all LUNs.
func (k *fakeKernel) findEverywhere(st *Storage) (out []*blockdev.Device, err error) {
	want := st.Spec.Root.Device.V
	f := finder{
		all: func() error { out, err = st.search(k.t.Context(), k.paths, want); return err },
		at: func(fresh []*blockdev.Device) error {
			out, err = st.searchAt(k.t.Context(), k.paths, want, fresh)
			return err
		},
	}
	if err = f.all(); absent(err) {
		err = st.newRootSearch("root").onOtherLUNs(k.t.Context(), err, f)
	}
	return out, err
}

// A group that is whole costs no command, and neither does one of a root without volumes.
func TestNothingIsLacking(t *testing.T) {
	st, k := volumeDisks(t, "linear", "root=/dev/vg/root")
	f := &fakeLUNs{luns: [][]uint64{{0, 1, 2}}}
	scanned(t, st, f)
	st.disks = st.disks[:1]
	if _, err := k.find(st); err != nil {
		t.Fatal(err)
	}
	st.complete(t.Context(), k.paths)
	if all := st.Log.(*steptest.Recorder).All(); len(f.events) > 0 || strings.Contains(strings.Join(all, "\n"), "lacks") {
		t.Errorf("%v, %q", f.events, all)
	}
}
