package blockdev

import (
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

func TestFind(t *testing.T) {
	ids := []string{"scsi-35001020304050607", "wwn-0x5001020304050607"}
	infos := []Info{
		{Device: Device{Name: "sda", Major: 8}, Disk: "sda", IDs: ids},
		{Device: Device{Name: "sda1", Partition: 1, Major: 8, Minor: 1}, Disk: "sda", IDs: ids, FS: Filesystem{"vfat", "ABCD-EF01", "EFI", ""}, PartUUID: "15c51007-01", PartLabel: "efi"},
		{Device: Device{Name: "sda5", Partition: 5, Major: 8, Minor: 5}, Disk: "sda", IDs: ids, FS: Filesystem{"ext4", "3310fa39", "my root", ""}, PartUUID: "15c51007-05"},
		{Device: Device{Name: "sdb", Major: 8, Minor: 16}, Disk: "sdb", FS: Filesystem{"ext4", "3310fa39", "copy", ""}},
		{Device: Device{Name: "sdb5", Partition: 5}, Disk: "sdb"},
		{Device: Device{Name: "sdb6", Partition: 6}, Disk: "sdb", FSErr: ErrNoFilesystem},
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
		for _, i := range Find(infos, d) {
			got = append(got, i.Name)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if got := Find(infos, bootspec.Device{By: bootspec.ByNode, Text: "sdb"}); len(got) != 1 || got[0].Name != "sdb" {
		t.Errorf("by node: got %+v", got)
	}
}
