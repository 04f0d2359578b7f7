package blockdev

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestDisk(t *testing.T) {
	sys := tree(t, map[string]string{
		"class/block/sda/size":            "2048\n",
		"class/block/sda/dev":             "8:0\n",
		"class/block/sda/sda10/partition": "10\n",
		"class/block/sda/sda10/size":      "1\n",
		"class/block/sda/sda10/dev":       "259:1048575\n",
		"class/block/sda/sda2/partition":  "2\n",
		"class/block/sda/sda2/start":      "2048\n",
		"class/block/sda/sda2/dev":        "8\n",
		"class/block/sda/queue/x":         "",
	})
	whole, parts, err := Disk(sys, "sda")
	if err != nil || whole != (Device{"sda", 0, 0, 1 << 20, 8, 0}) || whole.Path() != "/dev/sda" {
		t.Errorf("got %+v, %v", whole, err)
	}
	if !slices.Equal(parts, []Device{{"sda2", 2, 1 << 20, 0, 0, 0}, {"sda10", 10, 0, 512, 259, 1048575}}) {
		t.Errorf("got %+v", parts)
	}
	if _, _, err := Disk(sys, "sdz"); err == nil {
		t.Error("a disk that is not there has partitions")
	}
}

// Disks of memory and of other disks are no local disks, and an empty drive
// holds nothing.
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
func inspected(t *testing.T, name string, start map[string]string) ([]Info, error) {
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
	return Inspect(tree(t, files), dev, "sda")
}

func TestInspect(t *testing.T) {
	got, err := inspected(t, "gpt", map[string]string{"1": "2048", "4": "8192", "5": "9999"})
	if err != nil || len(got) != 4 {
		t.Fatalf("got %+v, %v", got, err)
	}
	root := got[2]
	if root.Name != "sda4" || root.Disk != "sda" || root.FS.Type != "ext4" || root.PartUUID != "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeee04" ||
		root.PartLabel != "root of läden & more 36 characters" || !slices.Equal(root.IDs, []string{"scsi-36001405f00000001", "wwn-0x6001405f00000001"}) {
		t.Errorf("got %+v", root)
	}
	if !errors.Is(got[0].FSErr, ErrNoFilesystem) || !errors.Is(got[1].FSErr, ErrNoFilesystem) || !errors.Is(got[3].FSErr, os.ErrNotExist) || got[3].PartUUID != "" {
		t.Errorf("got %+v", got)
	}
	// The kernel numbers it so, but it begins elsewhere than the table says.
	moved, err := inspected(t, "gpt", map[string]string{"4": "8193"})
	if err != nil || moved[1].PartUUID != "" {
		t.Errorf("got %+v, %v", moved, err)
	}
	if _, err := inspected(t, "ext4", map[string]string{"1": "2048"}); !errors.Is(err, ErrNoTable) {
		t.Errorf("partitions without a table: %v", err)
	}
	if got, err := inspected(t, "ext4", nil); err != nil || len(got) != 1 || got[0].FS.Label != "ext4 label" {
		t.Errorf("whole disk: %+v, %v", got, err)
	}
	if _, err := Inspect(t.TempDir(), t.TempDir(), "sda"); err == nil {
		t.Error("a disk that is not there is inspected")
	}
}

func TestDescribe(t *testing.T) {
	tests := map[string]Info{
		"sda (8 MiB, no file system)":                                         {FSErr: ErrNoFilesystem},
		"sda (8 MiB, cannot be read)":                                         {FSErr: errMedium},
		"sda (8 MiB, crypto_LUKS)":                                            {FS: Filesystem{Type: "crypto_LUKS"}},
		"sda (8 MiB, ext4, LABEL=a?b)":                                        {FS: Filesystem{Type: "ext4", Label: "a\x1bb"}},
		"sda (8 MiB, xfs, UUID=1, PARTLABEL=p, PARTUUID=2)":                   {FS: Filesystem{Type: "xfs", UUID: "1"}, PartUUID: "2", PartLabel: "p"},
		"sda (8 MiB, has the superblocks of several file systems: ext4, xfs)": {FSErr: &AmbiguousError{[]Filesystem{{Type: "ext4"}, {Type: "xfs"}}}},
	}
	for want, info := range tests {
		info.Device = Device{Name: "sda", Size: 8 << 20}
		if got := info.Describe(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// vpd is page 0x83 with one descriptor.
func vpd(kind byte, id string) []byte {
	b := []byte{0, vpdPage, 0, byte(vpdDescriptor + len(id)), 1, kind, 0, byte(len(id))}
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

// Pages as a kernel has them from two targets: without what names ports and
// targets.
func TestParseIDsReal(t *testing.T) {
	for name, want := range map[string]string{
		"gotgt.vpd83": "scsi-33000000000000001 wwn-0x3000000000000001",
		"tgtd.vpd83":  "scsi-1lab032600001 scsi-33000000100000001 scsi-3600000000000000000000ab032600001 wwn-0x3000000100000001 wwn-0x600000000000000000000ab032600001",
	} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
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
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add(vpd(3, "\x50\x01\x02\x03\x04\x05\x06\x07"))
	f.Add(vpd(1, "IET     00010001\x00\x00  "))
	f.Add([]byte{0, vpdPage, 0xff, 0xff, 1, 2, 0, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, id := range parseIDs(b) {
			if strings.ContainsAny(id, "/ \x00") || !strings.HasPrefix(id, "scsi-") && !strings.HasPrefix(id, "wwn-0x") {
				t.Errorf("got %q", id)
			}
		}
	})
}
