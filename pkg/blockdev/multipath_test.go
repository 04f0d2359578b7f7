package blockdev

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

// write adds files to a sysfs of linked.
func write(t *testing.T, sys string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(sys, "class/block", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// mapped makes a sysfs with a multipath map of two disks, a partition of it, and a volume on that.
func mapped(t *testing.T) string {
	t.Helper()
	const sda, sdb = "platform/host2/session1/target2:0:0/2:0:0:1/block/sda", "platform/host3/session2/target3:0:0/3:0:0:1/block/sdb"
	sys := linked(t, map[string][]string{
		sda: {"queue", "holders/dm-0"}, sdb: {"queue", "holders/dm-0"},
		"virtual/block/dm-0": {"dm", "slaves/sda", "slaves/sdb", "holders/dm-1"},
		"virtual/block/dm-1": {"dm", "slaves/dm-0", "holders/dm-2"},
		"virtual/block/dm-2": {"dm", "slaves/dm-1"},
		"virtual/block/dm-3": {"dm"},
	})
	write(t, sys, map[string]string{
		"dm-0/dm/name": "3600\n", "dm-0/dm/uuid": "mpath-3600\n", "dm-0/size": "40960\n", "dm-0/queue/logical_block_size": "512\n",
		"dm-1/dm/name": "3600-part4\n", "dm-1/dm/uuid": "part4-mpath-3600\n", "dm-1/size": "2048\n",
		"dm-2/dm/name": "vg-root\n", "dm-2/dm/uuid": "LVM-x\n",
		"dm-3/dm/name": "vg-part1\n", "dm-3/dm/uuid": "part0-mpath-3600\n",
		"sdb/device/vpd_pg83": string(vpd(0x03, "\x60\x01\x40\x5f\x00\x00\x00\x01")),
	})
	return sys
}

// A multipath map is a disk for all that stands on it, and its partitions are those of a disk.
func TestMultipath(t *testing.T) {
	sys := mapped(t)
	for name, want := range map[string]struct {
		kind        Kind
		base        Base
		path        string
		units       string
		disks, part int
	}{
		"dm-0": {KindMultipath, OnDisk, "/dev/mapper/3600", "dm-0", 2, 0},
		"dm-1": {KindPartition, OnDisk, "/dev/mapper/3600-part4", "dm-0", 2, 4},
		"dm-2": {KindDM, OnMap, "/dev/mapper/vg-root", "dm-0", 2, 0},
		"dm-3": {KindDM, OnMap, "/dev/mapper/vg-part1", "dm-3", 1, 0},
		"sda":  {KindDisk, OnDisk, "/dev/sda", "sda", 1, 0},
	} {
		d, err := Read(sys, name)
		if err != nil {
			t.Fatal(err)
		}
		var units []string
		for _, u := range d.Units() {
			units = append(units, u.Name)
		}
		if d.Kind != want.kind || d.Base() != want.base || d.Path() != want.path || strings.Join(units, " ") != want.units || len(d.Disks()) != want.disks || d.number() != want.part {
			t.Errorf("%s: %+v on %v", name, d, units)
		}
		if got := name != "dm-3"; d.On("sda") != got || d.On("dm-0") != (got && name != "sda") {
			t.Errorf("%s is on sda: %v, on dm-0: %v", name, d.On("sda"), d.On("dm-0"))
		}
	}
	if d := PathOf(sys, "sdb"); d == nil || d.Name != "dm-0" {
		t.Errorf("sdb is a path of %+v", d)
	}
	if d := PathOf(sys, "dm-0"); d != nil {
		t.Errorf("a map is a path of %+v", d)
	}
}

// The table of partitions is read from the map, and the map has the names of its LUN beside its
// own.
func TestInspectMultipath(t *testing.T) {
	sys, dev := mapped(t), t.TempDir()
	img := readSparse(t, "gpt")
	b := make([]byte, img.size)
	_, _ = img.ReadAt(b, 0)
	for node, content := range map[string][]byte{"dm-0": b, "dm-1": make([]byte, 4096)} {
		if err := os.WriteFile(filepath.Join(dev, node), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	part, err := Read(sys, "dm-1")
	if err != nil {
		t.Fatal(err)
	}
	all := []*Device{part.Parents[0], part}
	if err := Inspect(t.Context(), sys, dev, all); err != nil {
		t.Fatal(err)
	}
	if want := "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeee04"; part.Partition.UUID != want || part.Partition.Start != 8192*512 {
		t.Errorf("%+v", part.Partition)
	}
	for _, id := range []string{"scsi-3600140" + "5f00000001", "wwn-0x600140" + "5f00000001", "dm-name-3600", "dm-uuid-mpath-3600"} {
		want := bootspec.Device{By: bootspec.ByID, Text: id, Partition: 4}
		if got := Find(all, want); !reflect.DeepEqual(got, all[1:]) {
			t.Errorf("%s is %v", id, got)
		}
	}
}
