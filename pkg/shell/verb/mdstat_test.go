package verb

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// memberBlock is a superblock of md 1.2, of a raid1 with two slots: the device's number and slot
// and its events (include/uapi/linux/raid/md_p.h: struct mdp_superblock_1).
func memberBlock(number uint32, slots [2]uint16, events uint64) []byte {
	const size = 256 + 2*2
	b := make([]byte, size)
	le := binary.LittleEndian
	le.PutUint32(b, 0xa92b4efc)
	le.PutUint32(b[4:], 1)
	copy(b[16:], "0123456789abcdef")
	copy(b[32:], "host:root")
	le.PutUint32(b[72:], 1) // level
	le.PutUint64(b[80:], 8192)
	le.PutUint32(b[92:], 2)     // raid_disks
	le.PutUint64(b[128:], 2048) // data_offset
	le.PutUint64(b[136:], 8192) // data_size
	le.PutUint64(b[144:], 8)    // super_offset
	le.PutUint32(b[160:], number)
	copy(b[168:], "device          ")
	b[183] = byte(number)
	le.PutUint64(b[200:], events)
	le.PutUint64(b[208:], 1<<64-1) // resync_offset: clean
	le.PutUint32(b[220:], 2)       // max_dev
	le.PutUint16(b[256:], slots[0])
	le.PutUint16(b[258:], slots[1])
	var sum uint64
	for i := 0; i < size; i += 4 {
		sum += uint64(le.Uint32(b[i:]))
	}
	le.PutUint32(b[216:], uint32(sum)+uint32(sum>>32))
	return b
}

// arrayDisks writes a sysfs and a directory of devices with members of an array.
func arrayDisks(t *testing.T, members map[string][]byte) (sys, dev string) {
	t.Helper()
	sys, dev = t.TempDir(), t.TempDir()
	for disk, block := range members {
		var err error
		for _, dir := range []string{"block", "class/block"} {
			at := filepath.Join(sys, dir, disk)
			err = errors.Join(err, os.MkdirAll(at, 0o755), os.WriteFile(filepath.Join(at, "size"), []byte("16384\n"), 0o644))
		}
		content := make([]byte, 8<<20)
		copy(content[4096:], block)
		if err = errors.Join(err, os.WriteFile(filepath.Join(dev, disk), content, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return sys, dev
}

// run makes an array run that has members.
func runArray(t *testing.T, sys string, members ...string) {
	t.Helper()
	write := func(name, text string) {
		path := filepath.Join(sys, "block/md127", name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text+"\n"), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"size": "8192", "md/level": "raid1", "md/metadata_version": "1.2", "md/raid_disks": "2", "md/array_state": "clean"} {
		write(name, text)
	}
	for i, m := range members {
		write("md/dev-"+m+"/slot", string(rune('0'+i)))
		write("md/dev-"+m+"/state", "in_sync")
		if err := os.WriteFile(filepath.Join(sys, "block", m, "dev"), []byte("8:0\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("../../../"+m, filepath.Join(sys, "block/md127/md/dev-"+m, "block")); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(sys, "block/md127"), filepath.Join(sys, "class/block/md127")); err != nil {
		t.Fatal(err)
	}
}

func TestOtherArrays(t *testing.T) {
	const set = "30313233:34353637:38396162:63646566"
	both := [2]uint16{0, 1}
	a, b := memberBlock(0, both, 7), memberBlock(1, both, 7)
	alone, old := memberBlock(0, [2]uint16{0, 0xfffe}, 9), memberBlock(1, both, 7)
	for _, tt := range []struct {
		name    string
		members map[string][]byte
		running []string
		want    string
	}{
		{"nothing", map[string][]byte{"sda": nil}, nil, ""},
		{"not started", map[string][]byte{"sda": a, "sdb": b}, nil, "host:root (raid1, " + set + "): not started\n  slot 0     sda\n  slot 1     sdb\n"},
		{"not complete", map[string][]byte{"sdb": b}, nil, "host:root (raid1, " + set + "): not started: array host:root: raid1 with 1 ...: missing in slot 0\n  slot 1     sdb\n"},
		{"running", map[string][]byte{"sda": a, "sdb": b}, []string{"sda", "sdb"}, ""},
		{"running without one", map[string][]byte{"sda": a, "sdb": b}, []string{"sda"}, "host:root: member sdb is not used\n"},
		{"running without an old one", map[string][]byte{"sda": alone, "sdb": old}, []string{"sda"}, "host:root: member sdb is not used: the array went on without it\n"},
		{"running beside a copy", map[string][]byte{"sda": a, "sdb": b, "sdc": b}, []string{"sda", "sdb"}, "array host:root: the member 64657669:63652020:20202020:20202001 is on sdb and on sdc: keep all but one of them away\nhost:root: member sdc is not used\n"},
	} {
		sys, dev := arrayDisks(t, tt.members)
		if tt.running != nil {
			runArray(t, sys, tt.running...)
			if err := os.WriteFile(filepath.Join(dev, "md127"), make([]byte, 8192*512), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, errs, err := otherArrays(t.Context(), sys, dev)
		begin, end, _ := strings.Cut(tt.want, "...") // the rest of a text of pkg/md
		if !strings.HasPrefix(got, begin) || !strings.HasSuffix(got, end) || end == "" && got != begin || errs != nil || err != nil {
			t.Errorf("%s: %q, %v, %v, want %q", tt.name, got, errs, err, tt.want)
		}
	}
}

// A superblock that is damaged, and the disk of a session that is down, are reported; the latter
// without a read.
func TestUnreadArrays(t *testing.T) {
	broken := memberBlock(0, [2]uint16{0, 1}, 7)
	broken[100]++
	sys, dev := arrayDisks(t, map[string][]byte{"sda": broken})
	place := filepath.Join(sys, "devices/host2/session2/target2:0:0/2:0:0:1/block/sdb")
	if err := errors.Join(os.MkdirAll(place, 0o755), os.WriteFile(filepath.Join(place, "size"), []byte("16384\n"), 0o644)); err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{"block/sdb", "class/block/sdb"} {
		if err := os.Symlink(place, filepath.Join(sys, at)); err != nil {
			t.Fatal(err)
		}
	}
	_, errs, err := otherArrays(t.Context(), sys, dev)
	if err != nil || len(errs) != 2 || !strings.HasPrefix(errs[0].Error(), "sda: ") || !errors.Is(errs[1], errDown) {
		t.Errorf("%v, %v", errs, err)
	}
}

// The label of a physical volume on an array is on its members too where the superblock is at their
// end: it is the array's.
func TestVolumesOnArray(t *testing.T) {
	sys, dev := volumeDisks(t, map[string]string{"sda": "linear/254-0.gz", "sdb": "linear/254-0.gz"})
	for i, disk := range []string{"sda", "sdb"} {
		f, err := os.OpenFile(filepath.Join(dev, disk), os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		const sectors = 64 << 20 / 512
		at := uint64(sectors-16) &^ 7
		b := memberBlock(uint32(i), [2]uint16{0, 1}, 1)
		binary.LittleEndian.PutUint64(b[144:], at)
		if _, err = f.WriteAt(b, int64(at)*512); errors.Join(err, f.Close()) != nil {
			t.Fatal(err)
		}
	}
	runArray(t, sys, "sda", "sdb")
	if err := os.WriteFile(filepath.Join(sys, "block/md127/size"), []byte("131000\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	array, err := os.ReadFile(filepath.Join(dev, "sda"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dev, "md127"), array[:131000*512], 0o644); err != nil {
		t.Fatal(err)
	}
	groups, errs, err := volumeGroups(t.Context(), sys, dev)
	if err != nil || errs != nil || len(groups) != 1 || len(groups[0].Found) != 1 {
		t.Fatalf("%+v, %v, %v", groups, errs, err)
	}
	for _, f := range groups[0].Found {
		if f.Place != "md127" {
			t.Errorf("the volume group is on %s", f.Place)
		}
	}
}
