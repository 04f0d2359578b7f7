package rootfs

import (
	"slices"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// A disk's place in the count is known when the targets before it are logged in; disks with names
// of their own need no count.
func TestCounted(t *testing.T) {
	sys := t.TempDir()
	for _, name := range []string{"sda", "sdb", "sdc"} {
		fakeDisk(t, sys, name, 1)
	}
	all := []*blockdev.Device{ourDisk("sda", 0, 0), ourDisk("sdb", 1, 0), ourDisk("sdc", 2, 0)}
	for _, tt := range []struct {
		name                    string
		states                  []state
		disks                   []*blockdev.Device
		first, second, anything string
	}{
		{"all there", []state{up, up, up}, all, "sda1", "sdb1", "sda1 sda sdb1 sdb sdc1 sdc"},
		{"second is late", []state{up, pending, up}, append(all[:1:1], all[2]), "sda1", "", "sda1 sda"},
		{"first is late", []state{pending, up, up}, all[1:], "", "", ""},
		{"first will not come", []state{lost, up, up}, all[1:], "", "", "sdb1 sdb sdc1 sdc"},
	} {
		m, _ := withSessions(3)
		m.disks = tt.disks
		m.Sessions.(*fakeSessions).states = tt.states
		for disk, want := range []string{tt.first, tt.second} {
			got, _ := m.search(t.Context(), paths{sys, "/dev"}, bootspec.Device{Disk: disk, Partition: 1})
			if names(got) != want {
				t.Errorf("%s: disk %d is %q, want %q", tt.name, disk, names(got), want)
			}
		}
		if got, err := m.everything(t, sys); err != nil || names(got) != tt.anything {
			t.Errorf("%s: candidates are %q, %v, want %q", tt.name, names(got), err, tt.anything)
		}
	}
}

func TestDescribeUnit(t *testing.T) {
	if got := (blockdev.LUN{Type: 12}).Describe("/sys"); got != "not a disk (SCSI type 12, array controller)" {
		t.Errorf("a controller is %q", got)
	}
	if got := (blockdev.LUN{Absent: true}).Describe("/sys"); got != "without a device" {
		t.Errorf("a LUN that is not mapped is %q", got)
	}
	if got := (blockdev.LUN{Disk: "none"}).Describe("/sys"); got != "a disk" {
		t.Errorf("a disk that goes away is %q", got)
	}
}

// A LUN above 255 has two encodings: flat space addressing, and the plain number that LIO writes.
func TestLUNEncodings(t *testing.T) {
	for text, want := range map[string][]uint64{
		"0": {0}, "255": {255}, "300": {0x412c, 300}, "0x12c": {0x412c, 300}, "012c-0000-0000-0000": {0x12c}, "0001-0002-0000-0000": {0x20001},
	} {
		l, err := iscsi.ParseLUN(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := l.KernelNumbers(); !slices.Equal(got, want) {
			t.Errorf("%s: %#x, want %#x", text, got, want)
		}
	}
}
