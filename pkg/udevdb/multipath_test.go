package udevdb

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The paths of a map are marked before links to disks are made, and the map has the links of its
// LUN.
func TestMapRules(t *testing.T) {
	all := []Map{
		{Device: "dm-0", Name: "3600a", WWID: "3600a", Attribute: "naa.600a", Partitions: []int{1, 12}},
		{Device: "dm-9", Name: "1T10_x", WWID: "1T10_x", Attribute: "t10.T10     x"},
	}
	got, err := MapRules(all)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`TEST=="holders/dm-0", ENV{DM_MULTIPATH_DEVICE_PATH}="1"`, `TEST=="../holders/dm-0", ENV{DM_MULTIPATH_DEVICE_PATH}="1"`,
		`ATTRS{wwid}=="naa.600a", ENV{DM_MULTIPATH_DEVICE_PATH}="1"`, `TEST=="holders/dm-9", `,
		`ATTR{dm/name}=="3600a", SYMLINK+="disk/by-id/wwn-0x600a"`, `ATTR{dm/name}=="3600a", SYMLINK+="disk/by-id/scsi-3600a"`,
		`ATTR{dm/name}=="3600a-part12", SYMLINK+="disk/by-id/wwn-0x600a-part12"`, `ATTR{dm/name}=="1T10_x", SYMLINK+="disk/by-id/scsi-1T10_x"`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not in\n%s", want, got)
		}
	}
	if strings.Contains(got, "t10.") || strings.Contains(got, "wwn-0xT10") {
		t.Errorf("an attribute with blanks, or a wwn of a LUN without one, is in\n%s", got)
	}
	for label := range strings.SplitSeq(got, `GOTO="`) {
		if name, _, ok := strings.Cut(label, `"`); ok && strings.HasPrefix(name, "iscsiroot_") && !strings.Contains(got, `LABEL="`+name+`"`) {
			t.Errorf("there is no label %s", name)
		}
	}
	if got, err := MapRules(nil); got != "" || err != nil {
		t.Errorf("without maps: %q, %v", got, err)
	}
	if got, err := MapRules([]Map{{Device: "dm-0", Name: `a"b`, WWID: "3"}}); err == nil {
		t.Errorf("a name with a quote: %q", got)
	}
	run := t.TempDir()
	if err := WriteMapRules(run, got); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(run, "udev/rules.d/59-iscsiroot-multipath.rules")
	if b, err := os.ReadFile(path); err != nil || string(b) != got {
		t.Errorf("%q, %v", b, err)
	}
	if err := Clear(run); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the rules of an earlier boot stay")
	}
}
