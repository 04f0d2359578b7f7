package boot

import (
	"slices"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// A disk's place in the count is known when the targets before it are there;
// disks with names of their own need no count.
func TestCounted(t *testing.T) {
	sys := t.TempDir()
	for _, name := range []string{"sda", "sdb", "sdc"} {
		fakeDisk(t, sys, name, 1)
	}
	all := []*blockdev.Device{ourDisk("sda", 0, 0), ourDisk("sdb", 1, 0), ourDisk("sdc", 2, 0)}
	for _, tt := range []struct {
		name                    string
		states                  []loginState
		disks                   []*blockdev.Device
		first, second, anything string
	}{
		{"all there", []loginState{loginUp, loginUp, loginUp}, all, "sda1", "sdb1", "sda1 sda sdb1 sdb sdc1 sdc"},
		{"second is late", []loginState{loginUp, loginPending, loginUp}, append(all[:1:1], all[2]), "sda1", "", "sda1 sda"},
		{"first is late", []loginState{loginPending, loginUp, loginUp}, all[1:], "", "", ""},
		{"first will not come", []loginState{loginLost, loginUp, loginUp}, all[1:], "", "", "sdb1 sdb sdc1 sdc"},
	} {
		m := Machine{sessions: someSessions(3), disks: tt.disks, logins: &logins{states: tt.states}}
		for disk, want := range []string{tt.first, tt.second} {
			got, _ := m.search(t.Context(), paths{sys, "/dev"}, bootspec.Device{Disk: disk, Partition: 1})
			if names(got) != want {
				t.Errorf("%s: disk %d is %q, want %q", tt.name, disk, names(got), want)
			}
		}
		if got, err := m.everything(t.Context(), paths{sys, "/dev"}); err != nil || names(got) != tt.anything {
			t.Errorf("%s: candidates are %q, %v, want %q", tt.name, names(got), err, tt.anything)
		}
	}
}

func TestWhatIs(t *testing.T) {
	if got := whatIs(blockdev.LUN{Type: 12}); got != "not a disk (SCSI type 12)" {
		t.Errorf("a controller is %q", got)
	}
	if got := whatIs(blockdev.LUN{Absent: true}); got != "without a device" {
		t.Errorf("a LUN that is not mapped is %q", got)
	}
	if got := whatIs(blockdev.LUN{Disk: "none"}); got != "a disk" {
		t.Errorf("a disk that goes away is %q", got)
	}
}

// A LUN above 255 has two forms: flat space addressing, and the plain number that LIO writes.
func TestFormsOfALUN(t *testing.T) {
	for text, want := range map[string][]uint64{
		"0": {0}, "255": {255}, "300": {0x412c, 300}, "0x12c": {0x412c, 300}, "012c-0000-0000-0000": {0x12c}, "0001-0002-0000-0000": {0x20001},
	} {
		l, err := iscsi.ParseLUN(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := forms(l); !slices.Equal(got, want) {
			t.Errorf("%s: %#x, want %#x", text, got, want)
		}
	}
}
