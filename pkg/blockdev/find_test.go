package blockdev

import (
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

func TestFind(t *testing.T) {
	ids := []string{"scsi-35001020304050607", "wwn-0x5001020304050607"}
	sda := &Device{Name: "sda", Number: Number{8, 0}, IDs: ids}
	sdb := &Device{Name: "sdb", Number: Number{8, 16}, Content: &Content{FS: Filesystem{"ext4", "3310fa39", "copy", ""}}}
	part := func(name string, disk *Device, minor uint32, entry Partition, c Content) *Device {
		return &Device{Name: name, Number: Number{8, minor}, Kind: KindPartition, Parents: []*Device{disk}, Partition: &entry, Content: &c}
	}
	devices := []*Device{
		sda,
		part("sda1", sda, 1, Partition{Number: 1, UUID: "15c51007-01", Label: "efi"}, Content{FS: Filesystem{"vfat", "ABCD-EF01", "EFI", ""}}),
		part("sda5", sda, 5, Partition{Number: 5, UUID: "15c51007-05"}, Content{FS: Filesystem{"ext4", "3310fa39", "my root", ""}}),
		sdb,
		part("sdb5", sdb, 21, Partition{Number: 5}, Content{}),
		part("sdb6", sdb, 22, Partition{Number: 6}, Content{Err: ErrNoFilesystem}),
	}
	for name, want := range map[string]string{
		"/dev/vda":                             "",
		"8:5":                                  "sda5",
		"UUID=abcd-ef01":                       "sda1",
		"UUID=3310FA39":                        "sda5 sdb",
		"UUID=3310fa3":                         "",
		`LABEL=my\x20root`:                     "sda5",
		"LABEL=MY":                             "",
		"PARTUUID=15C51007-05":                 "sda5",
		"PARTUUID=15c51007-01/PARTNROFF=4":     "sda5",
		"PARTUUID=15c51007-05/PARTNROFF=-4":    "sda1",
		"PARTUUID=15c51007-01/PARTNROFF=-1":    "",
		"PARTUUID=15c51007-05/PARTNROFF=1":     "",
		"PARTLABEL=efi":                        "sda1",
		"/dev/disk/by-id/" + ids[0]:            "sda",
		"/dev/disk/by-id/" + ids[1] + "-part5": "sda5",
		"/dev/disk/by-id/wwn-0x1":              "",
		"/dev/sda5":                            "",
	} {
		d, ok := bootspec.ParseDevice(name)
		if !ok {
			t.Errorf("%s is not a device", name)
		}
		var got []string
		for _, i := range Find(devices, d) {
			got = append(got, i.Name)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if got := Find(devices, bootspec.Device{By: bootspec.ByNode, Text: "sdb"}); len(got) != 1 || got[0].Name != "sdb" {
		t.Errorf("by node: got %+v", got)
	}
}

// The names of multipath maps find the map, and the disk that has the WWID where there is no map.
// A name that a file in the root assigns finds the only one.
func TestFindMap(t *testing.T) {
	const wwid = "36001405a1b2c3d4e5f60718293a4b5c6"
	partOf := func(d *Device, name string) *Device {
		return &Device{Name: name, Kind: KindPartition, Parents: []*Device{d}, Partition: &Partition{Number: 2}, Content: &Content{}}
	}
	mapped := &Device{Name: "dm-0", Kind: KindMultipath, Map: wwid, IDs: []string{"dm-name-" + wwid, "dm-uuid-mpath-" + wwid, "scsi-" + wwid}}
	serial := &Device{Name: "dm-3", Kind: KindMultipath, Map: "SVEND_1", IDs: []string{"dm-name-SVEND_1", "dm-uuid-mpath-SVEND_1"}}
	disk := &Device{Name: "sda", LUN: &LUN{}, IDs: []string{"scsi-" + wwid}}
	local := &Device{Name: "vda"}
	one := []*Device{local, mapped, partOf(mapped, "dm-1")}
	two := append([]*Device{serial, partOf(serial, "dm-4")}, one...)
	plain := []*Device{local, partOf(local, "vda2"), disk, partOf(disk, "sda2")}
	for _, tt := range []struct {
		name, want string
		devices    []*Device
	}{
		{"/dev/mapper/" + wwid + "-part2", "dm-1", one},
		{"/dev/mapper/" + wwid + "p2", "dm-1", two},
		{"/dev/mapper/" + wwid + "-part2", "sda2", plain},
		{"/dev/mapper/" + wwid + "-part3", "", one},
		{"/dev/mapper/3600140500000000000000000000000000-part2", "", one},
		{"/dev/disk/by-id/dm-uuid-part2-mpath-SVEND_1", "dm-4", two},
		{"/dev/disk/by-id/dm-uuid-mpath-SVEND_1", "dm-3", two},
		{"/dev/mapper/mpatha", "dm-0", one},
		{"/dev/mapper/mpatha2", "dm-1", one},
		{"/dev/mapper/mpathb-part2", "dm-1", one},
		{"/dev/mapper/mpatha2", "", two},
		{"/dev/mapper/mpatha2", "sda2", plain},
		{"/dev/mapper/mpatha2", "", []*Device{local, partOf(local, "vda2")}},
	} {
		want, ok := bootspec.ParseDevice(tt.name)
		if !ok {
			t.Fatalf("%s is not a device", tt.name)
		}
		var got []string
		for _, d := range Find(tt.devices, want) {
			got = append(got, d.Name)
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}
