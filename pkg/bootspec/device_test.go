package bootspec_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

// The names are the kernel's: 26 disks of one letter, then 676 of two.
func TestDevice(t *testing.T) {
	tests := []struct {
		name            string
		disk, partition int
	}{
		{"/dev/sda", 0, 0},
		{"/dev/sda1", 0, 1},
		{"/dev/sda15", 0, 15},
		{"/dev/sdb2", 1, 2},
		{"/dev/sdz", 25, 0},
		{"/dev/sdaa", 26, 0},
		{"/dev/sdaz3", 51, 3},
		{"/dev/sdba", 52, 0},
		{"/dev/sdzz", 701, 0},
		{"/dev/sdaaa", 702, 0},
		{"/dev/sdzzz255", 18277, 255},
	}
	for _, tt := range tests {
		plan, err := parse("root=" + tt.name)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		want := bootspec.Device{Disk: tt.disk, Partition: tt.partition}
		if got := plan.Root.Device.V; got != want || got.String() != tt.name {
			t.Errorf("%s is %+v, which prints as %s, want %+v", tt.name, got, got, want)
		}
	}
	for _, name := range []string{"", "sda", "/dev/sd", "/dev/sd1", "/dev/sda0", "/dev/sda02", "/dev/sda256", "/dev/sda1x", "/dev/sdA", "/dev/sdaaaa", "/dev/sda-1", "/dev/sda+1"} {
		if plan, err := parse("root=" + name); err == nil {
			t.Errorf("%s is taken for %v", name, plan.Root.Device.V)
		}
	}
}

func TestDeviceRoundTrip(t *testing.T) {
	for disk := range 18278 { // sdzzz is the last of three letters
		want := bootspec.Device{Disk: disk, Partition: disk % 256}
		plan, err := parse("root=" + want.String())
		if err != nil || plan.Root.Device.V != want {
			t.Fatalf("%s is read as %+v, error %v", want, plan.Root.Device.V, err)
		}
	}
}

// Each form, what it is read as, and how it prints where that is different.
func TestDeviceForms(t *testing.T) {
	const iqn = "iqn.2007-01.com.example:storage.lun-1"
	portal := netip.MustParseAddrPort("10.1.1.180:3260")
	portal6 := netip.MustParseAddrPort("[2001:db8::1]:860")
	tests := []struct {
		text, prints string
		want         bootspec.Device
	}{
		{"UUID=3310fa39-f939-4bb6-8fc3-e89a16d966ff", "", bootspec.Device{By: bootspec.ByUUID, Text: "3310fa39-f939-4bb6-8fc3-e89a16d966ff"}},
		{"UUID=ABCD-EF01", "UUID=abcd-ef01", bootspec.Device{By: bootspec.ByUUID, Text: "abcd-ef01"}},
		{`UUID="ab-01"`, "UUID=ab-01", bootspec.Device{By: bootspec.ByUUID, Text: "ab-01"}},
		{"block:UUID=ab-01", "UUID=ab-01", bootspec.Device{By: bootspec.ByUUID, Text: "ab-01"}},
		{"/dev/disk/by-uuid/AB-01", "UUID=ab-01", bootspec.Device{By: bootspec.ByUUID, Text: "ab-01"}},
		{"LABEL=root", "", bootspec.Device{By: bootspec.ByLabel, Text: "root"}},
		{`LABEL=my\x20root`, "", bootspec.Device{By: bootspec.ByLabel, Text: "my root"}},
		{"LABEL='my root'", `LABEL=my\x20root`, bootspec.Device{By: bootspec.ByLabel, Text: "my root"}},
		{`LABEL=a\xzz\x4`, `LABEL=a\x5cxzz\x5cx4`, bootspec.Device{By: bootspec.ByLabel, Text: `a\xzz\x4`}},
		{`LABEL=\xff`, "", bootspec.Device{By: bootspec.ByLabel, Text: "\xff"}},
		{"LABEL=läbel", "", bootspec.Device{By: bootspec.ByLabel, Text: "läbel"}},
		{`/dev/disk/by-label/my\x20root`, `LABEL=my\x20root`, bootspec.Device{By: bootspec.ByLabel, Text: "my root"}},
		{"PARTUUID=15C51007-02", "PARTUUID=15c51007-02", bootspec.Device{By: bootspec.ByPartUUID, Text: "15c51007-02"}},
		{"PARTUUID=15c51007-01/PARTNROFF=4", "", bootspec.Device{By: bootspec.ByPartUUID, Text: "15c51007-01", Offset: 4}},
		{"PARTUUID=15c51007-05/PARTNROFF=-1", "", bootspec.Device{By: bootspec.ByPartUUID, Text: "15c51007-05", Offset: -1}},
		{"/dev/disk/by-partuuid/15c51007-02", "PARTUUID=15c51007-02", bootspec.Device{By: bootspec.ByPartUUID, Text: "15c51007-02"}},
		{"PARTLABEL=root", "", bootspec.Device{By: bootspec.ByPartLabel, Text: "root"}},
		{"/dev/disk/by-partlabel/root", "PARTLABEL=root", bootspec.Device{By: bootspec.ByPartLabel, Text: "root"}},
		{"/dev/disk/by-path/ip-10.1.1.180:3260-iscsi-" + iqn + "-lun-1", "", bootspec.Device{By: bootspec.ByPath, Text: iqn, Portal: portal, LUN: 1}},
		{"/dev/disk/by-path/ip-10.1.1.180:3260-iscsi-" + iqn + "-lun-0x4100000000000000-part2", "", bootspec.Device{By: bootspec.ByPath, Text: iqn, Portal: portal, LUN: 0x4100, Partition: 2}},
		{"/dev/disk/by-path/ip-2001:db8::1:860-iscsi-" + iqn + "-lun-0", "", bootspec.Device{By: bootspec.ByPath, Text: iqn, Portal: portal6}},
		{"/dev/disk/by-id/wwn-0x5001020304050607-part3", "", bootspec.Device{By: bootspec.ByID, Text: "wwn-0x5001020304050607", Partition: 3}},
		{"/dev/disk/by-id/scsi-1IET_00010001", "", bootspec.Device{By: bootspec.ByID, Text: "scsi-1IET_00010001"}},
		{"8:2", "", bootspec.Device{By: bootspec.ByNumber, Major: 8, Minor: 2}},
		{"0802", "8:2", bootspec.Device{By: bootspec.ByNumber, Major: 8, Minor: 2}},
		{"0x803", "8:3", bootspec.Device{By: bootspec.ByNumber, Major: 8, Minor: 3}},
		{"fff103ff", "259:1048575", bootspec.Device{By: bootspec.ByNumber, Major: 259, Minor: 1048575}},
		{"/dev/mapper/vg-root", "", bootspec.Device{By: bootspec.ByVolume, Text: "vg-root"}},
		{"/dev/mapper/my--vg-my--lv", "", bootspec.Device{By: bootspec.ByVolume, Text: "my--vg-my--lv"}},
		{"/dev/mapper/vg---lv", "", bootspec.Device{By: bootspec.ByVolume, Text: "vg---lv"}},
		{"/dev/my-vg/my-lv", "/dev/mapper/my--vg-my--lv", bootspec.Device{By: bootspec.ByVolume, Text: "my--vg-my--lv"}},
		{"/dev/a/b-", "/dev/mapper/a-b--", bootspec.Device{By: bootspec.ByVolume, Text: "a-b--"}},
		{"/dev/sda/2", "/dev/mapper/sda-2", bootspec.Device{By: bootspec.ByVolume, Text: "sda-2"}},
		{"/dev/md0", "", bootspec.Device{By: bootspec.ByArray, Text: "md0"}},
		{"/dev/md127p12", "", bootspec.Device{By: bootspec.ByArray, Text: "md127p12"}},
		{"/dev/md_root", "", bootspec.Device{By: bootspec.ByArray, Text: "md_root"}},
		{"/dev/md/root1", "", bootspec.Device{By: bootspec.ByArray, Text: "md/root1"}},
		{"/dev/disk/by-id/md-name-host:root-part2", "", bootspec.Device{By: bootspec.ByArray, Text: "disk/by-id/md-name-host:root", Partition: 2}},
		{"/dev/disk/by-id/md-uuid-3aaa0122:29827cfa:5331ad66:ca767371", "", bootspec.Device{By: bootspec.ByArray, Text: "disk/by-id/md-uuid-3aaa0122:29827cfa:5331ad66:ca767371"}},
		{"/dev/mapper/360000000000000000e00000000010001", "", bootspec.Device{By: bootspec.ByMap, Text: "360000000000000000e00000000010001"}},
		{"/dev/mapper/360000000000000000e00000000010001-part2", "", bootspec.Device{By: bootspec.ByMap, Text: "360000000000000000e00000000010001", Partition: 2}},
		{"/dev/mapper/35001020304050607p12", "/dev/mapper/35001020304050607-part12", bootspec.Device{By: bootspec.ByMap, Text: "35001020304050607", Partition: 12}},
		{"/dev/disk/by-id/dm-name-20011223344556677-part1", "/dev/mapper/20011223344556677-part1", bootspec.Device{By: bootspec.ByMap, Text: "20011223344556677", Partition: 1}},
		{"/dev/disk/by-id/dm-uuid-mpath-35001020304050607", "/dev/mapper/35001020304050607", bootspec.Device{By: bootspec.ByMap, Text: "35001020304050607"}},
		{"/dev/disk/by-id/dm-uuid-part3-mpath-35001020304050607", "/dev/mapper/35001020304050607-part3", bootspec.Device{By: bootspec.ByMap, Text: "35001020304050607", Partition: 3}},
		{"/dev/disk/by-id/dm-uuid-mpath-1LIO-ORG_disk0:1", "", bootspec.Device{By: bootspec.ByMap, Text: "1LIO-ORG_disk0:1"}},
		{"/dev/disk/by-id/dm-uuid-part2-mpath-1LIO-ORG_disk0:1", "", bootspec.Device{By: bootspec.ByMap, Text: "1LIO-ORG_disk0:1", Partition: 2}},
		{"/dev/disk/by-id/scsi-360000000000000000e00000000010001-part2", "", bootspec.Device{By: bootspec.ByID, Text: "scsi-360000000000000000e00000000010001", Partition: 2}},
		{"/dev/disk/by-label/dm-mpath-root", "LABEL=root", bootspec.Device{By: bootspec.ByLabel, Text: "root"}},
		{"/dev/disk/by-uuid/dm-mpath-ab-01", "UUID=ab-01", bootspec.Device{By: bootspec.ByUUID, Text: "ab-01"}},
		{"LABEL=dm-mpath-root", "", bootspec.Device{By: bootspec.ByLabel, Text: "dm-mpath-root"}},
		{"/dev/mapper/mpatha", "", bootspec.Device{By: bootspec.ByOnlyMap, Text: "mpatha"}},
		{"/dev/mapper/mpatha2", "/dev/mapper/mpatha-part2", bootspec.Device{By: bootspec.ByOnlyMap, Text: "mpatha", Partition: 2}},
		{"/dev/mapper/mpathap2", "/dev/mapper/mpatha-part2", bootspec.Device{By: bootspec.ByOnlyMap, Text: "mpatha", Partition: 2}},
		{"/dev/mapper/mpathp2", "/dev/mapper/mpathp-part2", bootspec.Device{By: bootspec.ByOnlyMap, Text: "mpathp", Partition: 2}},
		{"/dev/disk/by-id/dm-name-mpathaa-part2", "/dev/mapper/mpathaa-part2", bootspec.Device{By: bootspec.ByOnlyMap, Text: "mpathaa", Partition: 2}},
		{"/dev/mapper/mpath-root", "", bootspec.Device{By: bootspec.ByVolume, Text: "mpath-root"}},
		{"/dev/mapper/mpatha-root", "", bootspec.Device{By: bootspec.ByVolume, Text: "mpatha-root"}},
		{"/dev/mapper/3600-lv", "", bootspec.Device{By: bootspec.ByVolume, Text: "3600-lv"}},
		{"/dev/disk/by-id/dm-name-vg-root", "/dev/mapper/vg-root", bootspec.Device{By: bootspec.ByVolume, Text: "vg-root"}},
		{"/dev/vda2", "", bootspec.Device{By: bootspec.ByNode, Text: "vda2"}},
		{"/dev/nvme0n1p2", "", bootspec.Device{By: bootspec.ByNode, Text: "nvme0n1p2"}},
	}
	for _, tt := range tests {
		got, ok := bootspec.ParseDevice(tt.text)
		prints := tt.prints
		if prints == "" {
			prints = tt.text
		}
		if !ok || got != tt.want || got.String() != prints {
			t.Errorf("%s: got %+v, %v, which prints as %s", tt.text, got, ok, got)
		}
		if again, ok := bootspec.ParseDevice(got.String()); !ok || again != got {
			t.Errorf("%s: %s is read back as %+v", tt.text, got, again)
		}
	}
	for _, text := range []string{
		"UUID=", "UUID=a b", "UUID=" + strings.Repeat("a", 65), "LABEL=", "LABEL=\"\"", "LABEL=" + strings.Repeat("a", 2049), "PARTLABEL=",
		"PARTUUID=", "PARTUUID=a/PARTNROFF=", "PARTUUID=a/PARTNROFF=256", "PARTUUID=a/b", "8:", ":2", "8:1048576", "4096:1", "0:1", "02", "xyz",
		"/dev/disk/by-path/pci-0000:00:1f.2-ata-1", "/dev/disk/by-path/ip-10.1.1.180-iscsi-" + iqn + "-lun-1", "/dev/disk/by-path/ip-10.1.1.180:3260-iscsi--lun-1",
		"/dev/disk/by-path/ip-10.1.1.180:x-iscsi-" + iqn + "-lun-1", "/dev/disk/by-path/ip-10.1.1.180:3260-iscsi-" + iqn + "-lun-x",
		"/dev/disk/by-path/ip-10.1.1.180:3260-iscsi-" + iqn + "-lun-1-part0", "/dev/disk/by-id/ata-x", "/dev/disk/by-id/scsi-x y",
		"/dev/disk/by-diskseq/1", "/dev/dm-0", "/dev/md", "/dev/md0p0", "/dev/md00", "/dev/md0p256", "/dev/md1048576", "/dev/md_", "/dev/md/", "/dev/md/..", "/dev/md/a b", "/dev/md/a/b", "/dev/root", "/dev/nfs",
		"/dev/a/b/c", "/dev/-a/b", "/dev/a/-b", "/dev/a/..", "/dev/./a", "/dev/a/", "/dev//a", "/dev/a/b:c", "/dev/disk/by-id/md-uuid-1", "/dev/disk/by-id/md-name-", "/dev/disk/by-id/md-x", "/dev/disk/by-id/md-name-a-part0", "/dev/zvol/root", "/dev/" + strings.Repeat("a", 63) + "/" + strings.Repeat("b", 64),
		"/dev/mapper/vg", "/dev/mapper/vg-lv-real", "/dev/mapper/-lv", "/dev/mapper/vg-", "/dev/mapper/mpath", "/dev/mapper/mpath2", "/dev/mapper/mpatha256", "/dev/mapper/mpathabcdefgh", "/dev/mapper/36001", "/dev/mapper/35001020304050607a", "/dev/disk/by-id/dm-uuid-mpath-", "/dev/disk/by-id/dm-uuid-mpath-x", "/dev/disk/by-id/dm-uuid-part0-mpath-35001020304050607", "/dev/disk/by-id/dm-uuid-part2", "/dev/disk/by-id/dm-uuid-LVM-x", "/dev/mapper/luks-1", "/dev/mapper/a-b/c", "iscsi:", "dhcp",
	} {
		if d, ok := bootspec.ParseDevice(text); ok {
			t.Errorf("%s is taken for %+v", text, d)
		}
	}
}

// A disk that is not of an iSCSI session is named by its node only with rd.root.any, at any place
// in the line.
func TestDeviceNodes(t *testing.T) {
	for text, want := range map[string]bool{
		"root=/dev/vda2":                        false,
		"rootfallback=/dev/vda2":                false,
		"root=/dev/vda2 rd.root.any=0":          false,
		"root=/dev/vda2 rd.root.any":            true,
		"rd.root.any=1 rootfallback=/dev/xvda2": true,
	} {
		if _, err := parse(text); (err == nil) != want || err != nil && !strings.Contains(err.Error(), "add rd.root.any") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
