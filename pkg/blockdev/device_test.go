package blockdev

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/multipath"
)

func TestPartitions(t *testing.T) {
	sys := tree(t, map[string]string{
		"class/block/sda/size":                     "2048\n",
		"class/block/sda/dev":                      "8:0\n",
		"class/block/sda/ro":                       "1\n",
		"class/block/sda/queue/logical_block_size": "4096\n",
		"class/block/sda/sda10/partition":          "10\n",
		"class/block/sda/sda10/size":               "1\n",
		"class/block/sda/sda10/dev":                "259:1048575\n",
		"class/block/sda/sda2/partition":           "2\n",
		"class/block/sda/sda2/start":               "2048\n",
		"class/block/sda/sda2/dev":                 "8\n",
		"class/block/sda/queue/x":                  "",
	})
	sda, err := Read(sys, "sda")
	if want := (&Device{Name: "sda", Number: Number{8, 0}, Size: 1 << 20, SectorSize: 4096, ReadOnly: true}); err != nil || !reflect.DeepEqual(sda, want) || sda.Path() != "/dev/sda" {
		t.Errorf("got %+v, %v", sda, err)
	}
	parts, err := Partitions(sys, sda)
	if want := []*Device{
		{Name: "sda2", SectorSize: 4096, Kind: KindPartition, Parents: []*Device{sda}, Partition: &Partition{Number: 2, Start: 1 << 20}},
		{Name: "sda10", Number: Number{259, 1048575}, Size: 512, SectorSize: 4096, Kind: KindPartition, Parents: []*Device{sda}, Partition: &Partition{Number: 10, Size: 512}},
	}; err != nil || !reflect.DeepEqual(parts, want) {
		t.Errorf("got %+v, %v", parts, err)
	}
	if _, err := Partitions(sys, &Device{Name: "sdz"}); err == nil {
		t.Error("a disk that is not there has partitions")
	}
	if _, err := Read(sys, "sdz"); err == nil {
		t.Error("a disk that is not there is read")
	}
}

// linked makes a sysfs with the links that class/block has, each to a directory with these files.
func linked(t *testing.T, devices map[string][]string) string {
	t.Helper()
	sys := tree(t, map[string]string{"class/block/.keep": ""})
	for at, files := range devices {
		dir := filepath.Join(sys, "devices", at)
		for _, name := range append(files, "") {
			if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Symlink("../../devices/"+at, filepath.Join(sys, "class/block", filepath.Base(at))); err != nil {
			t.Fatal(err)
		}
	}
	return sys
}

// The disks below a device are found, and the session of a session's disk.
func TestParents(t *testing.T) {
	const sda, sdb = "platform/host2/session1/target2:0:0/2:0:0:1/block/sda", "platform/host3/session2/target3:0:0/3:0:0:258/block/sdb"
	sys := linked(t, map[string][]string{
		sda: {"queue"}, sda + "/sda2": nil, sdb: {"queue"},
		"pci0/virtio0/block/vda": {"queue"},
		"virtual/block/dm-0":     {"dm", "slaves/sda2", "slaves/md127"},
		"virtual/block/md127":    {"md", "slaves/sdb", "slaves/sda"},
		"virtual/block/dm-1":     {"dm", "slaves/dm-0", "slaves/gone"},
		"virtual/block/dm-9":     {"dm", "slaves/dm-9"},
	})
	if err := os.WriteFile(filepath.Join(sys, "devices", sda, "sda2/partition"), []byte("2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name  string
		kind  Kind
		disks string
	}{
		{"sda", KindDisk, "sda 1:1"},
		{"sda2", KindPartition, "sda 1:1"},
		{"sdb", KindDisk, "sdb 2:258"},
		{"vda", KindDisk, "vda"},
		{"md127", KindMD, "sda 1:1, sdb 2:258"},
		{"dm-1", KindDM, "sda 1:1, sdb 2:258"},
		{"dm-9", KindDM, "dm-9"},
	} {
		d, err := Read(sys, tt.name)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, disk := range d.Disks() {
			text := disk.Name
			if disk.LUN != nil {
				text += fmt.Sprintf(" %d:%d", disk.LUN.Session, disk.LUN.Number)
			}
			got = append(got, text)
		}
		slices.Sort(got)
		if text := strings.Join(got, ", "); text != tt.disks || d.Kind != tt.kind {
			t.Errorf("%s of kind %d is on %s, want %s", tt.name, d.Kind, text, tt.disks)
		}
	}
}

// Disks made of memory and of other disks are no local disks, and neither is an empty drive.
func TestDisks(t *testing.T) {
	files := map[string]string{"block/sr0/size": "0\n", "block/odd/x": ""}
	for _, name := range []string{"vda", "sdb", "nvme0n1", "loop0", "ram0", "zram0", "dm-0", "md0"} {
		files["block/"+name+"/size"] = "8\n"
	}
	got, err := Disks(tree(t, files))
	if want := []string{"nvme0n1", "sdb", "vda"}; !slices.Equal(got, want) || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err := Disks(t.TempDir()); got != nil || err != nil {
		t.Errorf("without disks: %q, %v", got, err)
	}
	if _, err := Disks(tree(t, map[string]string{"block": "no directory"})); err == nil {
		t.Error("a file is a list of disks")
	}
}

// inspected makes a disk of an image of testdata with partitions at sectors.
func inspected(t *testing.T, name string, start map[string]string) ([]*Device, error) {
	t.Helper()
	files := map[string]string{
		"class/block/sda/size":                     "40960\n",
		"class/block/sda/dev":                      "8:0\n",
		"class/block/sda/queue/logical_block_size": "512\n",
		"class/block/sda/device/vpd_pg83":          string(vpd(0x03, "\x60\x01\x40\x5f\x00\x00\x00\x01")),
	}
	for number, at := range start {
		files["class/block/sda/sda"+number+"/partition"] = number + "\n"
		files["class/block/sda/sda"+number+"/start"] = at + "\n"
		files["class/block/sda/sda"+number+"/size"] = "2048\n"
	}
	dev := t.TempDir()
	img := readSparse(t, name)
	b := make([]byte, img.size)
	_, _ = img.ReadAt(b, 0)
	ext, err := os.ReadFile("testdata/ext4.sb")
	if err != nil {
		t.Fatal(err)
	}
	for node, content := range map[string][]byte{"sda": b, "sda1": make([]byte, 4096), "sda4": ext} {
		if err := os.WriteFile(filepath.Join(dev, node), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sys := tree(t, files)
	disk, err := Read(sys, "sda")
	if err != nil {
		t.Fatal(err)
	}
	parts, err := Partitions(sys, disk)
	if err != nil {
		t.Fatal(err)
	}
	all := append([]*Device{disk}, parts...)
	return all, Inspect(t.Context(), sys, dev, all)
}

func TestInspect(t *testing.T) {
	got, err := inspected(t, "gpt", map[string]string{"1": "2048", "4": "8192", "5": "9999"})
	if err != nil || len(got) != 4 {
		t.Fatalf("got %+v, %v", got, err)
	}
	root := got[2]
	if root.Name != "sda4" || !root.On("sda") || root.Content.FS.Type != "ext4" || root.Partition.UUID != "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeee04" ||
		root.Partition.Label != "root of läden & more 36 characters" || !slices.Equal(root.ids(), []string{"scsi-36001405f00000001", "wwn-0x6001405f00000001"}) {
		t.Errorf("got %+v", root)
	}
	if !errors.Is(got[0].Content.Err, ErrNoFilesystem) || !errors.Is(got[1].Content.Err, ErrNoFilesystem) || !errors.Is(got[3].Content.Err, os.ErrNotExist) || got[3].Partition.UUID != "" {
		t.Errorf("got %+v", got)
	}
	// The kernel gives it this number, but it begins at another sector than in the table.
	moved, err := inspected(t, "gpt", map[string]string{"4": "8193"})
	if err != nil || moved[1].Partition.UUID != "" {
		t.Errorf("got %+v, %v", moved, err)
	}
	if _, err := inspected(t, "ext4", map[string]string{"1": "2048"}); !errors.Is(err, ErrNoTable) {
		t.Errorf("partitions without a table: %v", err)
	}
	if got, err := inspected(t, "ext4", nil); err != nil || len(got) != 1 || got[0].Content.FS.Label != "ext4 label" {
		t.Errorf("whole disk: %+v, %v", got, err)
	}
}

func TestDescribe(t *testing.T) {
	tests := map[string]Device{
		"sda (8 MiB, no file system)":                                         {Content: &Content{Err: ErrNoFilesystem}},
		"sda (8 MiB, cannot be read)":                                         {Content: &Content{Err: errMedium}},
		"sda (8 MiB, crypto_LUKS)":                                            {Content: &Content{FS: Filesystem{Type: "crypto_LUKS"}}},
		"sda (8 MiB, ext4, LABEL=a?b)":                                        {Content: &Content{FS: Filesystem{Type: "ext4", Label: "a\x1bb"}}},
		"sda (8 MiB, xfs, UUID=1, PARTLABEL=p, PARTUUID=2)":                   {Content: &Content{FS: Filesystem{Type: "xfs", UUID: "1"}}, Partition: &Partition{UUID: "2", Label: "p"}},
		"sda (8 MiB, has the superblocks of several file systems: ext4, xfs)": {Content: &Content{Err: &AmbiguousError{[]Filesystem{{Type: "ext4"}, {Type: "xfs"}}}}},
	}
	for want, d := range tests {
		d.Name, d.Size = "sda", 8<<20
		if got := d.Describe(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// vpd is page 0x83 with one descriptor: a T10 name is in ASCII, code set 2.
func vpd(kind byte, id string) []byte {
	codeSet := byte(1)
	if multipath.Type(kind) == multipath.T10 {
		codeSet = 2
	}
	b := []byte{0, 0x83, 0, byte(4 + len(id)), codeSet, kind, 0, byte(len(id))}
	return append(b, id...)
}

// Names as udev's scsi_id and sg3-utils make them.
func TestParseIDs(t *testing.T) {
	tests := []struct {
		name string
		page []byte
		want string
	}{
		{"NAA", vpd(3, "\x50\x01\x02\x03\x04\x05\x06\x07"), "scsi-35001020304050607 wwn-0x5001020304050607"},
		{"EUI-64", vpd(2, "\x00\x01\x02\x03\x04\x05\x06\x07"), "scsi-20001020304050607"},
		{"T10", vpd(1, "IET     00010001\x00\x00  "), "scsi-1IET_00010001"},
		{"odd T10", vpd(1, "a/b\xff"), "scsi-1a_b_"},
		{"blank T10", vpd(1, "   "), ""},
		{"of a port", vpd(0x13, "\x50\x01\x02\x03\x04\x05\x06\x07"), ""},
		{"empty", vpd(3, ""), ""},
		{"other kind", vpd(8, "iqn.x"), ""},
		{"cut", vpd(3, "\x50\x01\x02\x03")[:9], ""},
		{"other page", []byte{0, 0x80, 0, 0}, ""},
		{"nothing", nil, ""},
	}
	for _, tt := range tests {
		if got := strings.Join(parseIDs(tt.page), " "); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

// Pages of two targets as a kernel has them: names of ports and targets are ignored.
func TestParseIDsReal(t *testing.T) {
	for name, want := range map[string]string{
		"gotgt.vpd83": "scsi-33000000000000001 wwn-0x3000000000000001",
		"tgtd.vpd83":  "scsi-1lab032600001 scsi-33000000100000001 scsi-3600000000000000000000ab032600001 wwn-0x3000000100000001 wwn-0x600000000000000000000ab032600001",
	} {
		b, err := os.ReadFile(filepath.Join("../multipath/testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(parseIDs(b), " "); got != want {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

func FuzzParseIDs(f *testing.F) {
	for _, name := range []string{"gotgt.vpd83", "tgtd.vpd83"} {
		b, err := os.ReadFile(filepath.Join("../multipath/testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add(vpd(3, "\x50\x01\x02\x03\x04\x05\x06\x07"))
	f.Add(vpd(1, "IET     00010001\x00\x00  "))
	f.Add([]byte{0, 0x83, 0xff, 0xff, 1, 2, 0, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, id := range parseIDs(b) {
			if strings.ContainsAny(id, "/ \x00") || !strings.HasPrefix(id, "scsi-") && !strings.HasPrefix(id, "wwn-0x") {
				t.Errorf("got %q", id)
			}
		}
	})
}
