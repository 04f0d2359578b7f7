package rootfs

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/md"
)

// groupOn returns a disk with the volume group vg of real lvm2, with a file system in vg/root.
func groupOn(t *testing.T, inRoot []byte) []byte {
	t.Helper()
	f, err := os.Open("../lvm/testdata/linear/254-0.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]byte, max(len(b), rootAtSector*512+len(inRoot)))
	copy(out, b)
	copy(out[rootAtSector*512:], inRoot)
	return out
}

// Where the volumes of the case linear begin, and how large they are, in sectors.
const (
	rootAtSector, rootSectors = 2048, 32768
	swapAtSector, swapSectors = 18432, 8192
)

// Each order of partitions, arrays and volumes: root is found by its name and by its UUID, on all
// of the disks, and what it stands on is all that stays.
func TestNestedArrays(t *testing.T) {
	sb, uuid := ext4(t)
	byUUID := "root=UUID=" + uuid
	for _, tt := range []struct {
		name  string
		roots []string
		disks int
		make  func(k *fakeArrays)
		want  string // the arrays and volumes that are active
	}{
		{"volume on a mirror", []string{"root=/dev/vg/root", byUUID}, 2, func(k *fakeArrays) {
			k.mirror(1, "pv", 2, groupOn(t, sb), "sda", "sdb")
		}, "md127 vg-root"},
		{"volume on a mirror whose superblock is at the end", []string{"root=/dev/vg/root", byUUID}, 2, func(k *fakeArrays) {
			k.mirror(1, "pv", 0, groupOn(t, sb), "sda", "sdb")
		}, "md127 vg-root"},
		{"volume on stripes", []string{"root=/dev/vg/root", byUUID, "root=/dev/mapper/vg-root rd.md.uuid=01010101010101010101010101010101"}, 2, func(k *fakeArrays) {
			k.stripes(1, "pv", groupOn(t, sb), "sda", "sdb")
		}, "md127 vg-root"},
		{"volume on stripes on partitions", []string{"root=/dev/vg/root", byUUID}, 2, func(k *fakeArrays) {
			for i, d := range []string{"sda", "sdb"} {
				k.partition(d, 1, 2048, 131072)
				m := member{device: d + "1", minor: 2, set: 1, name: "pv", level: md.RAID1, slots: 2, slot: i, size: 131072}
				k.add(m)
				k.write(d+"1", m.dataOffset(), groupOn(t, sb))
			}
		}, "md127 vg-root"},
		{"volume on a partition of a mirror", []string{"root=/dev/vg/root", byUUID}, 2, func(k *fakeArrays) {
			k.partedMirror(groupOn(t, sb))
		}, "md127 vg-root"},
		{"array on a partition of a mirror", []string{"root=/dev/md/root", byUUID}, 2, func(k *fakeArrays) {
			m := member{minor: 2, set: 2, name: "root", level: md.RAID1, slots: 1, size: partSectors}
			for _, m.device = range []string{"sda", "sdb"} {
				m.at = partStart
				k.add(m)
				k.write(m.device, partStart+m.dataOffset(), sb)
			}
			k.partedMirror(nil)
		}, "md126 md127"},
		{"array on volumes", []string{"root=/dev/md/root", byUUID}, 1, func(k *fakeArrays) {
			k.write("sda", 0, groupOn(t, nil))
			k.mirrorOfVolumes(sb)
		}, "md127 vg-root vg-swap"},
		{"array on volumes on an array", []string{"root=/dev/md/root", byUUID}, 2, func(k *fakeArrays) {
			k.at = 64
			for _, k.pv = range []string{"sda", "sdb"} {
				k.write(k.pv, k.at, groupOn(t, nil))
				k.mirrorOfVolumes(sb)
			}
			k.mirror(2, "pv", 2, nil, "sda", "sdb")
		}, "md126 md127 vg-root vg-swap"},
		{"array on an array", []string{"root=/dev/md/upper", byUUID}, 3, func(k *fakeArrays) {
			upper := member{minor: 2, set: 2, name: "upper", level: md.RAID1, slots: 2, data: 8192}
			for i, d := range []string{"sda", "sdb", "sdc"} {
				upper.device, upper.at, upper.slot = d, 64, 0
				if d == "sdc" {
					upper.at, upper.slot = 0, 1
				} else {
					k.add(member{device: d, minor: 2, set: 1, name: "lower", level: md.RAID1, slots: 2, slot: i})
				}
				k.add(upper)
				k.write(d, upper.at+upper.dataOffset(), sb)
			}
		}, "md126 md127"},
	} {
		for _, root := range tt.roots {
			st, k := arrayDisks(t, tt.disks, root)
			tt.make(k)
			got, err := k.find(st)
			if active := strings.TrimSpace(k.arrayNames() + " " + k.names()); err != nil || len(got) != 1 || active != tt.want || len(got[0].Disks()) != tt.disks {
				t.Errorf("%s, %s: %v, %v, active %q", tt.name, root, names(got), err, active)
			}
			volumes, arrays := st.Made()
			if len(volumes)+len(arrays) != len(strings.Fields(tt.want)) {
				t.Errorf("%s, %s: made %+v, %+v", tt.name, root, volumes, arrays)
			}
			st.DeactivateUnused(t.Context())
			if k.arrayNames()+k.names() != "" {
				t.Errorf("%s, %s: left are %q, %q", tt.name, root, k.arrayNames(), k.names())
			}
		}
		st, k := arrayDisks(t, tt.disks, "")
		tt.make(k)
		// An init is looked for on a device of the kernel, which is not there.
		if err := st.lookOn(t.Context(), k.paths, st.disks); !absent(err) || k.arrayNames()+k.names() != "" || len(k.starts) == 0 {
			t.Errorf("%s: %v, left are %q, %q, started %q", tt.name, err, k.arrayNames(), k.names(), k.starts)
		} else if top := tt.want[strings.LastIndexByte(tt.want, ' ')+1:]; !strings.Contains(err.Error(), top) && !strings.Contains(err.Error(), "md127") {
			t.Errorf("%s: not looked at: %v", tt.name, err)
		}
	}
}

// partSectors is the size of the partition of partedMirror, in sectors.
const partSectors = 131072

// partedMirror writes a mirror with one partition, which the kernel shows on its members too.
func (k *fakeArrays) partedMirror(contents []byte) {
	k.mirror(1, "whole", 0, nil, "sda", "sdb")
	k.parts["whole"] = partSectors
	for _, d := range []string{"sda", "sdb"} {
		k.write(d, partStart, contents)
		k.partition(d, 1, partStart, partSectors)
	}
}

// An array that lacks another one, which lacks a disk, starts after it.
func TestArrayLacksAnArray(t *testing.T) {
	sb, _ := ext4(t)
	st, k := arrayDisks(t, 3, "root=/dev/md/upper")
	upper := member{device: "sda", minor: 2, set: 2, name: "upper", level: md.RAID1, slots: 2, data: 8192, at: 64}
	k.add(member{device: "sda", minor: 2, set: 1, name: "lower", level: md.RAID1, slots: 2})
	k.add(upper)
	k.write("sda", upper.at+upper.dataOffset(), sb)
	upper.device, upper.slot, upper.at = "sdc", 1, 0
	k.add(upper)
	k.write("sdc", upper.dataOffset(), sb)
	if _, err := k.find(st); len(degradables(err)) == 0 || k.arrayNames() != "" {
		t.Errorf("%v, runs %q", err, k.arrayNames())
	}
	st.degraded = true
	if got, err := k.find(st); err != nil || len(got) != 1 || len(got[0].Disks()) != 2 || strings.Join(k.starts, " ") != "lower upper" {
		t.Errorf("%v, %v, started %q", names(got), err, k.starts)
	}
}

// mirrorOfVolumes writes a raid1 of the volumes vg/root and vg/swap on a disk.
func (k *fakeArrays) mirrorOfVolumes(contents []byte) {
	disk := k.pv
	if disk == "" {
		disk = "sda"
	}
	const data = 4096
	for i, v := range [][2]int64{{rootAtSector, rootSectors}, {swapAtSector, swapSectors}} {
		m := member{device: disk, minor: 2, set: 1, name: "root", level: md.RAID1, slots: 2, slot: i, at: k.at + v[0], size: v[1], data: data}
		k.add(m)
		k.write(disk, m.at+m.dataOffset(), contents)
	}
}

// An array that holds a member of itself is started once, and the search ends.
func TestArrayInItself(t *testing.T) {
	st, k := arrayDisks(t, 1, "root=LABEL=none")
	m := member{device: "sda", minor: 2, set: 1, name: "loop", level: md.RAID1, slots: 1, data: 8192}
	k.add(m)
	m.at = m.dataOffset()
	m.data = 4096
	k.add(m)
	if _, err := k.find(st); !absent(err) || len(k.starts) != 1 || k.arrayNames() != "" {
		t.Errorf("%v, started %q, left %q", err, k.starts, k.arrayNames())
	}
}

// Neither of two disks with the same member is used, and both are named. So are arrays that cannot
// be started for another reason.
func TestArrayIsRefused(t *testing.T) {
	sb, uuid := ext4(t)
	for _, tt := range []struct {
		make func(k *fakeArrays)
		text string
	}{
		{func(k *fakeArrays) {
			k.mirror(1, "root", 2, sb, "sda", "sdb")
			k.add(member{device: "sdc", minor: 2, set: 1, name: "root", level: md.RAID1, slots: 2, slot: 1})
		}, "is on sdb and on sdc: keep all but one of them away"},
		{func(k *fakeArrays) {
			k.mirror(1, "root", 2, sb, "sda")
			k.mirror(2, "h:root", 2, sb, "sdb")
		}, "/dev/md/root is the name of two arrays, on sdb and on sda"},
		{func(k *fakeArrays) {
			for i, d := range []string{"sda", "sdb"} {
				k.add(member{device: d, minor: 2, set: 1, name: "root", level: md.RAID5, slots: 3, slot: i, dirty: true})
			}
		}, "it was not stopped cleanly"},
		{func(k *fakeArrays) {
			k.write("sda", diskBytes/512-2, []byte("Intel Raid ISM Cfg Sig. 1.0.00"))
		}, "sda: md superblock: not supported: Intel's firmware RAID (IMSM)"},
		{func(k *fakeArrays) {
			k.mirror(1, "root", 2, sb, "sda", "sdb")
			k.lacks = "raid1"
		}, "array root: module raid1: not in the image"},
	} {
		st, k := arrayDisks(t, 3, "root=/dev/md/root")
		tt.make(k)
		_, err := k.find(st)
		if a := absenceOf(err); a == nil || len(degradables(err)) > 0 || !strings.Contains(err.Error(), tt.text) || k.arrayNames() != "" {
			t.Errorf("%v, runs %q, want %q", err, k.arrayNames(), tt.text)
		}
		var missing *notFoundError
		if k.lacks != "" && (!errors.As(err, &missing) || missing.Hint() != "build the image with --storage md") {
			t.Errorf("hint %q", missing.Hint())
		}
	}
	st, k := arrayDisks(t, 2, "root=UUID="+uuid)
	for i, d := range []string{"sda", "sdb"} {
		k.add(member{device: d, minor: 2, set: 1, name: "root", level: md.RAID5, slots: 3, slot: i, dirty: true})
		k.write(d, 64, sb)
	}
	writeFiles(t, map[string]string{filepath.Join(k.paths.sys, "module/md_mod/parameters/start_dirty_degraded"): "1\n"})
	st.degraded = true
	if _, err := k.find(st); err != nil || k.arrayNames() != "md127" {
		t.Errorf("with start_dirty_degraded: %v, runs %q", err, k.arrayNames())
	}
}

// A member that is out of date is left out, with a warning; one of the events before is not.
func TestArrayIsStartedWithout(t *testing.T) {
	for events, want := range map[uint64]string{9: "", 5: "array root is started without sdb: it is out of date"} {
		st, k := arrayDisks(t, 2, "root=/dev/md/root")
		for i, d := range []string{"sda", "sdb"} {
			k.add(member{device: d, minor: 2, set: 1, name: "root", level: md.RAID1, slots: 2, slot: i, events: []uint64{10, events}[i]})
		}
		if _, err := k.find(st); err != nil || !strings.Contains(warnings(st), want) || (want == "") != (len(k.run["md127"]) == 2) {
			t.Errorf("%d events: %v, %q, runs with %v", events, err, warnings(st), k.run["md127"])
		}
	}
}

// A disk that cannot be read for a while is waited for.
func TestArrayCannotBeRead(t *testing.T) {
	st, k := arrayDisks(t, 2, "root=/dev/md/root")
	k.mirror(1, "root", 2, nil, "sda", "sdb")
	path := filepath.Join(k.paths.dev, "sdb")
	if err := errors.Join(os.Remove(path), os.Symlink(fmt.Sprintf("/proc/self/fd/%d", 1<<20), path)); err != nil {
		t.Fatal(err)
	}
	_, err := k.find(st)
	if a := absenceOf(err); a == nil || len(degradables(err)) == 0 {
		t.Errorf("%v", err)
	}
}
