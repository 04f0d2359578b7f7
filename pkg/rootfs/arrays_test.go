package rootfs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/md"
	"github.com/iscsiroot/iscsiroot/pkg/md/array"
)

// An array is found by each of its names, and by what is in it; one that is named, no other is
// started. What root does not stand on is stopped.
func TestArrayIsFound(t *testing.T) {
	sb, uuid := ext4(t)
	const set = "01010101:01010101:01010101:01010101"
	for root, want := range map[string]string{ // what runs; a space: what was started
		"root=/dev/md/root":                                   "md127 h:root",
		"root=/dev/md_root":                                   "md127 h:root",
		"root=/dev/md/h:root":                                 "md127 h:root",
		"root=/dev/md/root rd.md=0":                           "md127 h:root",
		"root=/dev/md0":                                       "md0 0",
		"root=/dev/disk/by-id/md-uuid-" + set:                 "md127 h:root",
		"root=/dev/disk/by-id/md-name-h:root":                 "md127 h:root",
		"root=UUID=" + uuid:                                   "md127 0 h:root",
		"root=UUID=" + uuid + " rd.md.uuid=" + set:            "md127 h:root",
		"root=UUID=" + uuid + " rd.md.uuid=" + set[:34] + "2": " ",
		"root=UUID=" + uuid + " rd.md=0":                      " ",
		"root=LABEL=none":                                     " 0 h:root",
		"root=/dev/md/none":                                   " 0 h:root",
		"root=/dev/md127":                                     " 0 h:root",
		"root=/dev/vg/none":                                   " 0 h:root",
		"root=8:99":                                           " ",
		"root=/dev/disk/by-id/wwn-0x1 rd.auto rd.md.conf=0":   " ",
	} {
		for minor := range 3 {
			st, k := arrayDisks(t, 4, root)
			k.mirror(1, "h:root", minor, sb, "sda", "sdb")
			k.mirror(2, "0", 2, nil, "sdc", "sdd")
			got, err := k.find(st)
			runs, starts, _ := strings.Cut(want, " ")
			if k.arrayNames() != runs || strings.Join(k.starts, " ") != strings.TrimSpace(starts) || (runs == "") != absent(err) {
				t.Errorf("1.%d, %s: runs %q, started %q, %v, want %q", minor, root, k.arrayNames(), k.starts, err, want)
			}
			if runs == "" {
				continue
			}
			if len(got) != 1 || got[0].Path() != "/dev/"+runs || got[0].Disks()[0].LUN == nil || len(got[0].Disks()) != 2 {
				t.Errorf("%s: %+v", root, got)
			}
			name := map[string]string{"md127": "root", "md0": "0"}[runs]
			if link, err := os.Readlink(filepath.Join(k.paths.dev, "md", name)); err != nil || link != "../"+runs {
				t.Errorf("%s: link to %q, %v", root, link, err)
			}
			_, made := st.Made()
			if len(made) != 1 || made[0].Node != runs || made[0].Path != "/dev/md/"+name {
				t.Errorf("%s: made %+v", root, made)
			}
			if again, err := k.find(st); err != nil || len(again) != 1 || again[0].Name != runs || k.arrayNames() != runs {
				t.Errorf("%s: a second search: %+v, %v, runs %q", root, again, err, k.arrayNames())
			}
			st.DeactivateUnused(t.Context())
			if left, _ := os.ReadDir(filepath.Join(k.paths.dev, "md")); k.arrayNames() != "" || len(left) > 0 {
				t.Errorf("%s: left are %q and %v", root, k.arrayNames(), left)
			}
		}
	}
}

// An array that is in use is taken as it is.
func TestArrayInUse(t *testing.T) {
	st, k := arrayDisks(t, 2, "root=/dev/md/root")
	k.mirror(1, "root", 2, nil, "sda", "sdb")
	if _, err := k.find(st); err != nil {
		t.Fatal(err)
	}
	k.used = "md127"
	if got, err := k.find(st); err != nil || len(got) != 1 || got[0].Name != "md127" || len(k.starts) != 1 {
		t.Errorf("%v, %v, started %q", names(got), err, k.starts)
	}
}

// Without a name root is looked for on the arrays if it is on no disk, never on their members.
func TestArrayHoldsRoot(t *testing.T) {
	sb, _ := ext4(t)
	st, k := arrayDisks(t, 3, "")
	k.mirror(1, "root", 0, sb, "sda", "sdb")
	err := st.lookOn(t.Context(), k.paths, st.disks)
	if !absent(err) || k.arrayNames() != "" || strings.Join(k.starts, " ") != "root root root" && len(k.starts) == 0 {
		t.Errorf("%v, runs %q, started %q", err, k.arrayNames(), k.starts)
	}
	if text := err.Error(); !strings.Contains(text, "md127") {
		t.Errorf("the array was not looked at: %s", text)
	}
}

// Partitions of an array are the kernel's, and those that a member seems to have are not used.
func TestArrayPartitions(t *testing.T) {
	sb, uuid := ext4(t)
	disk, err := os.ReadFile("../blockdev/testdata/gpt.img")
	if errors.Is(err, os.ErrNotExist) {
		disk = nil
	}
	for _, root := range []string{"root=/dev/md/root1", "root=/dev/md127p1", "root=/dev/disk/by-id/md-name-root-part1", "root=UUID=" + uuid} {
		st, k := arrayDisks(t, 2, root)
		contents := make([]byte, (2048+len(sb)/512+1)*512)
		copy(contents, disk)
		copy(contents[2048*512:], sb)
		k.mirror(1, "root", 0, contents, "sda", "sdb")
		k.parts["root"] = 8192
		k.partition("sda", 1, 2048, 8192)
		k.partition("sdb", 1, 2048, 8192)
		got, err := k.find(st)
		if err != nil || len(got) != 1 || got[0].Name != "md127p1" || k.arrayNames() != "md127" {
			t.Errorf("%s: %v, %v, runs %q", root, names(got), err, k.arrayNames())
		}
	}
}

// partition makes the kernel's partition of a disk.
func (k *fakeArrays) partition(disk string, n, start, size int64) {
	k.t.Helper()
	f, err := os.Open(filepath.Join(k.paths.dev, disk))
	if err != nil {
		k.t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	b := make([]byte, min(size*512, contentBytes))
	if _, err := f.ReadAt(b, start*512); err != nil {
		k.t.Fatal(err)
	}
	name := fmt.Sprint(disk, n)
	k.node(name, b, size*512)
	dir := filepath.Join(k.paths.sys, "class/block", disk, name)
	writeFiles(k.t, map[string]string{
		filepath.Join(dir, "partition"): fmt.Sprint(n), filepath.Join(dir, "start"): fmt.Sprint(start), filepath.Join(dir, "size"): fmt.Sprint(size),
		filepath.Join(dir, "dev"): fmt.Sprintf("8:%d", int64(disk[2]-'a')*16+n),
	})
}

// An array waits for members that it needs, and starts without those that it can do without only
// when that is allowed.
func TestArrayLacksMembers(t *testing.T) {
	sb, uuid := ext4(t)
	for _, tt := range []struct {
		level      md.Level
		disks      int // of three that are there
		degradable bool
	}{
		{md.RAID1, 1, true}, {md.RAID1, 2, true}, {md.RAID5, 2, true}, {md.RAID5, 1, false}, {md.RAID0, 2, false}, {md.Linear, 1, false},
	} {
		for _, root := range []string{"root=/dev/md/root", "root=UUID=" + uuid} {
			st, k := arrayDisks(t, 3, root)
			for i, d := range []string{"sda", "sdb", "sdc"} {
				m := member{device: d, minor: 2, set: 1, name: "root", level: tt.level, slots: 3, slot: i}
				k.add(m)
				k.write(d, m.dataOffset(), sb)
			}
			st.disks = st.disks[:tt.disks]
			_, err := k.find(st)
			if a := absenceOf(err); a == nil || (len(degradables(err)) > 0) != tt.degradable || k.arrayNames() != "" || !strings.Contains(err.Error(), "array root: ") {
				t.Errorf("%v of %d, %s: %v, runs %q", tt.level, tt.disks, root, err, k.arrayNames())
			}
			st.degraded = true
			_, err = k.find(st)
			if (err == nil) != tt.degradable || (k.arrayNames() != "") != tt.degradable {
				t.Errorf("%v of %d, %s, degraded: %v, runs %q", tt.level, tt.disks, root, err, k.arrayNames())
			}
			if tt.degradable && !strings.Contains(warnings(st), "array root is started without") {
				t.Errorf("no warning: %s", warnings(st))
			}
		}
	}
}

// A partition that the kernel shows on a member is not mounted, also if it is named.
func TestPartitionOfMember(t *testing.T) {
	st, k := arrayDisks(t, 2, "")
	k.mirror(1, "root", 0, nil, "sda", "sdb")
	k.mirror(2, "other", 2, nil, "sdb")
	for disk, want := range map[string]bool{"sda": true, "sdb": false} { // at the start it hides nothing
		if disk == "sdb" {
			k.write("sdb", diskBytes/512-16, make([]byte, 512))
		}
		whole := &blockdev.Device{Name: filepath.Join("..", k.paths.dev, disk)} // below /dev
		part := &blockdev.Device{Name: "sd1", Kind: blockdev.KindPartition, Parents: []*blockdev.Device{whole}}
		_, err := st.probe(t.Context(), part)
		if got := strings.Contains(fmt.Sprint(err), "a partition of an md array"); got != want {
			t.Errorf("%s: %v", disk, err)
		}
	}
}

// A name goes by all arrays, also those that cannot be started or whose target may still come:
// another one is not taken in their place.
func TestArrayNameOfAnother(t *testing.T) {
	for root, want := range map[string]string{ // an error; "": found
		"root=/dev/md/root":   "is the name of two arrays, on sda, sdb and on sdc",
		"root=/dev/md/a:root": "",
		"root=/dev/md127":     "no such device",
	} {
		st, k := arrayDisks(t, 3, root)
		k.mirror(1, "a:root", 2, nil, "sda", "sdb")
		k.add(member{device: "sdc", minor: 2, set: 2, name: "b:root", level: md.RAID0, slots: 2})
		got, err := k.find(st)
		if want == "" && (err != nil || len(got) != 1) || want != "" && (!absent(err) || !strings.Contains(err.Error(), want) || k.arrayNames() != "") {
			t.Errorf("%s: %v, %v, runs %q", root, names(got), err, k.arrayNames())
		}
	}
	for _, waiting := range [][]int{nil, {1}} {
		st, k := arrayDisks(t, 2, "root=/dev/md0")
		f := st.Sessions.(*fakeSessions)
		if f.waiting = waiting; waiting != nil {
			f.states = []state{up, pending}
		}
		k.mirror(1, "data", 2, nil, "sda", "sdb")
		if got, err := k.find(st); (len(got) == 1) != (waiting == nil) || absent(err) == (waiting == nil) {
			t.Errorf("waiting for %v: %v, %v", waiting, names(got), err)
		}
	}
}

// An array that ran before the search is not stopped.
func TestArrayOfAnotherProgram(t *testing.T) {
	st, k := arrayDisks(t, 2, "root=/dev/md/none")
	k.mirror(1, "data", 2, nil, "sda", "sdb")
	if err := k.Start("md5", 2, []array.Number{{Major: 8}, {Major: 8, Minor: 16}}); err != nil {
		t.Fatal(err)
	}
	if _, err := k.find(st); !absent(err) || k.arrayNames() != "md5" {
		t.Errorf("%v, runs %q", err, k.arrayNames())
	}
}

// A superblock beside partitions is not used, and named where root is not found.
func TestArrayBesidePartitions(t *testing.T) {
	st, k := arrayDisks(t, 2, "root=/dev/md/root")
	k.mirror(1, "root", 2, nil, "sda", "sdb")
	k.partition("sda", 1, 2048, 8192)
	if _, err := k.find(st); !absent(err) || !strings.Contains(err.Error(), "sda has partitions, and the superblock of a member of array root") {
		t.Error(err)
	}
}

// A member is not mounted itself, also where a file system's type is given and is at its start: a
// mount would change one copy alone.
func TestMemberIsNotMounted(t *testing.T) {
	sb, _ := ext4(t)
	for _, types := range []string{"", "rootfstype=ext4", "rootfstype=xfs,ext4"} {
		st, k := arrayDisks(t, 1, types)
		k.mirror(1, "root", 0, sb, "sda")
		c, err := st.probe(t.Context(), &blockdev.Device{Name: filepath.Join("..", k.paths.dev, "sda")})
		var refused *blockdev.UnsupportedError
		if !errors.As(err, &refused) || refused.Type != blockdev.Member {
			t.Errorf("%s: %+v, %v", types, c, err)
		}
	}
}

// A file system that is on a disk and in an array too is not used: both places are named, and no
// array is started. One that is named otherwise is found.
func TestCopyInArray(t *testing.T) {
	sb, uuid := ext4(t)
	const refused = "is on sda1, and in array root (sdb, sdc): name one of them otherwise, or keep it away"
	for _, tt := range []struct {
		root string
		make func(k *fakeArrays)
		want string // an error, or the device that is found
	}{
		{"root=UUID=" + uuid, func(k *fakeArrays) { k.mirror(1, "root", 0, sb, "sdb", "sdc") }, refused},
		{"root=UUID=" + strings.ToUpper(uuid), func(k *fakeArrays) { k.mirror(1, "root", 2, sb, "sdb", "sdc") }, refused},
		{"root=UUID=" + uuid, func(k *fakeArrays) { k.stripes(1, "root", sb, "sdb", "sdc") }, refused},
		{"root=UUID=" + uuid, func(k *fakeArrays) {
			m := member{device: "sdb", minor: 2, set: 1, name: "root", level: md.RAID1, slots: 2}
			k.add(m)
			k.write("sdb", m.dataOffset(), sb)
		}, "is on sda1, and in array root (sdb): "},
		{"root=UUID=" + uuid, func(k *fakeArrays) { k.mirror(1, "root", 2, nil, "sdb", "sdc") }, "sda1"},
		{"root=UUID=" + uuid, func(*fakeArrays) {}, "sda1"},
		{"root=/dev/md/root", func(k *fakeArrays) { k.mirror(1, "root", 2, sb, "sdb", "sdc") }, "md127"},
		{"root=/dev/sda1", func(k *fakeArrays) { k.mirror(1, "root", 2, sb, "sdb", "sdc") }, "sda1"},
	} {
		st, k := arrayDisks(t, 3, tt.root)
		k.write("sda", 2048, sb)
		k.partition("sda", 1, 2048, 8192)
		tt.make(k)
		got, err := k.find(st)
		if strings.Contains(tt.want, " ") {
			if !absent(err) || !strings.Contains(err.Error(), tt.want) || len(k.starts) > 0 {
				t.Errorf("%s: %v, %v, started %q", tt.root, names(got), err, k.starts)
			}
			continue
		}
		if err != nil || len(got) != 1 || got[0].Name != tt.want {
			t.Errorf("%s: %v, %v, want %s", tt.root, names(got), err, tt.want)
		}
	}
}

// A superblock with a wrong checksum at the end of a disk hides none of its partitions, and a
// warning names the disk; it is no member of an array.
func TestDamagedMember(t *testing.T) {
	sb, uuid := ext4(t)
	for _, damaged := range []bool{false, true} {
		st, k := arrayDisks(t, 2, "root=UUID="+uuid)
		k.add(member{device: "sda", minor: 0, set: 1, name: "root", level: md.RAID1, slots: 2})
		k.write("sda", 2048, sb)
		k.partition("sda", 1, 2048, 8192)
		if damaged {
			b := make([]byte, 32)
			f, err := os.OpenFile(filepath.Join(k.paths.dev, "sda"), os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			_, err = f.WriteAt(b, (diskBytes/512-16)*512+32) // the name
			if err = errors.Join(err, f.Close()); err != nil {
				t.Fatal(err)
			}
		}
		got, err := k.find(st)
		if damaged && (err != nil || len(got) != 1 || got[0].Name != "sda1") || !damaged && !absent(err) {
			t.Errorf("damaged %v: %v, %v", damaged, names(got), err)
		}
		whole := &blockdev.Device{Name: filepath.Join("..", k.paths.dev, "sda")} // below /dev
		part := &blockdev.Device{Name: filepath.Join("..", k.paths.dev, "sda1"), Kind: blockdev.KindPartition, Parents: []*blockdev.Device{whole}}
		_, err = st.probe(t.Context(), part)
		if strings.Contains(fmt.Sprint(err), "a partition of an md array") == damaged {
			t.Errorf("damaged %v: %v", damaged, err)
		}
		if strings.Contains(warnings(st), "the superblock of an md array has a wrong checksum") != damaged {
			t.Errorf("damaged %v: %s", damaged, warnings(st))
		}
	}
}
