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
