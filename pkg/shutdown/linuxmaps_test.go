package shutdown

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// The maps on the sessions' disks that nothing stands on are removed: a map of a local disk, or of
// another session, is not the boot's.
func TestMapsOfSessions(t *testing.T) {
	const dm = "devices/virtual/block/"
	l := ourSession(t, map[string]string{
		"devices/platform/host7/session3/target7:0:0/7:0:0:1/block/sda/size":           "2048\n",
		"devices/platform/host7/session3/target7:0:0/7:0:0:1/block/sda/sda2/partition": "2\n",
		"devices/platform/host9/session4/target9:0:0/9:0:0:1/block/sdb/size":           "2048\n",
		"devices/pci0/virtio0/block/vda/size":                                          "2048\n",
		dm + "dm-0/dm/name":                                                            "vg-root_rimage_0\n", dm + "dm-0/slaves/sda2/.keep": "", dm + "dm-0/holders/dm-1/.keep": "",
		dm + "dm-1/dm/name": "vg-root\n", dm + "dm-1/slaves/dm-0/.keep": "", dm + "dm-1/holders/.keep": "",
		dm + "dm-2/dm/name": "local\n", dm + "dm-2/slaves/vda/.keep": "",
		dm + "dm-3/dm/name": "other\n", dm + "dm-3/slaves/sdb/.keep": "",
		dm + "dm-4/dm/name": "vg-swap\n", dm + "dm-4/slaves/sda2/.keep": "",
		"class/block/.keep": "",
	})
	for _, at := range []string{
		"devices/platform/host7/session3/target7:0:0/7:0:0:1/block/sda", "devices/platform/host7/session3/target7:0:0/7:0:0:1/block/sda/sda2",
		"devices/platform/host9/session4/target9:0:0/9:0:0:1/block/sdb", "devices/pci0/virtio0/block/vda", dm + "dm-0", dm + "dm-1", dm + "dm-2", dm + "dm-3", dm + "dm-4",
	} {
		if err := os.Symlink("../../"+at, filepath.Join(l.sys, "class/block", filepath.Base(at))); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(filepath.Join(l.sys, dm, "dm-1/holders/.keep")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"dm-2", "dm-3", "dm-4"} {
		if err := os.Mkdir(filepath.Join(l.sys, dm, name, "holders"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	got, err := l.Maps()
	if want := []string{"vg-root", "vg-swap"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
}
