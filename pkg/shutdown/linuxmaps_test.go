package shutdown

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// The maps and arrays on the sessions' disks that nothing stands on are removed: those of a local
// disk, or of another session, are not the boot's.
func TestAboveSessions(t *testing.T) {
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
		dm + "md127/md/array_state": "clean\n", dm + "md127/slaves/sda2/.keep": "", dm + "md127/holders/.keep": "",
		dm + "md126/md/array_state": "clean\n", dm + "md126/slaves/sda2/.keep": "", dm + "md126/holders/dm-4/.keep": "",
		dm + "md1/md/array_state": "clean\n", dm + "md1/slaves/vda/.keep": "", dm + "md1/holders/.keep": "",
		dm + "md2/md/array_state": "clear\n", dm + "md2/holders/.keep": "", // a node without an array
		dm + "md3/md/array_state": "clean\n", dm + "md3/slaves/dm-5/.keep": "", dm + "md3/md3p1/partition": "1\n", dm + "md3/md3p1/holders/.keep": "", // on a volume
		dm + "dm-5/dm/name": "vg-under\n", dm + "dm-5/slaves/sda2/.keep": "", dm + "dm-5/holders/md3/.keep": "",
		"class/block/.keep": "",
	})
	for _, at := range []string{
		"devices/platform/host7/session3/target7:0:0/7:0:0:1/block/sda", "devices/platform/host7/session3/target7:0:0/7:0:0:1/block/sda/sda2",
		"devices/platform/host9/session4/target9:0:0/9:0:0:1/block/sdb", "devices/pci0/virtio0/block/vda", dm + "dm-0", dm + "dm-1", dm + "dm-2", dm + "dm-3", dm + "dm-4", dm + "dm-5", dm + "md127", dm + "md126", dm + "md1", dm + "md2", dm + "md3",
	} {
		if err := os.Symlink("../../"+at, filepath.Join(l.sys, "class/block", filepath.Base(at))); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("devices/virtual/block", filepath.Join(l.sys, "block")); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"dm-1/holders", "md127/holders", "md1/holders", "md2/holders", "md3/md3p1/holders"} {
		if err := os.Remove(filepath.Join(l.sys, dm, dir, ".keep")); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"dm-2", "dm-3", "dm-4"} {
		if err := os.Mkdir(filepath.Join(l.sys, dm, name, "holders"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	got, err := l.Above()
	if want := []Above{{"vg-root", false}, {"vg-swap", false}, {"md127", true}, {"md3", true}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
}

// The arrays that stay in use below a root that is read-only now, also those below a volume, are
// waited for until they are clean, and not for long. Others are not.
func TestAwaitClean(t *testing.T) {
	for _, tt := range []struct {
		name  string
		kept  bool
		err   error         // of the removal
		clean time.Duration // when it is
		want  time.Duration
	}{
		{"soon", true, unix.EBUSY, 200 * time.Millisecond, 200 * time.Millisecond},
		{"never", true, unix.EBUSY, time.Hour, cleanWait},
		{"root is unmounted", false, unix.EBUSY, time.Hour, 0},
		{"removed", true, nil, time.Hour, 0},
	} {
		const disk, volume = "devices/platform/host7/session3/target7:0:0/7:0:0:1/block/sda", "devices/virtual/block/dm-0"
		files := map[string]string{disk + "/size": "2048\n", volume + "/dm/name": "vg-root\n", "devices/pci0/virtio0/block/vda/size": "2048\n", "class/block/.keep": ""}
		for name, below := range map[string]string{"md0": "sda", "md1": "vda"} {
			at := "devices/virtual/block/" + name
			for file, text := range map[string]string{"md/array_state": "active\n", "md/level": "raid1\n", "md/metadata_version": "1.2\n", "md/raid_disks": "2\n", "size": "8\n", "holders/dm-0/.keep": "", "slaves/" + below + "/.keep": ""} {
				files[at+"/"+file] = text
			}
		}
		l := ourSession(t, files)
		for _, at := range []string{disk, "devices/pci0/virtio0/block/vda", volume, "devices/virtual/block/md0", "devices/virtual/block/md1"} {
			if err := os.Symlink("../../"+at, filepath.Join(l.sys, "class/block", filepath.Base(at))); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Symlink("devices/virtual/block", filepath.Join(l.sys, "block")); err != nil {
			t.Fatal(err)
		}
		if tt.kept {
			l.kept = map[string]bool{oldRoot: true}
		}
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			timer := time.AfterFunc(tt.clean, func() {
				if err := os.WriteFile(filepath.Join(l.sys, "block/md0/md/array_state"), []byte("clean\n"), 0o644); err != nil {
					t.Error(err)
				}
			})
			err := l.inUse(tt.err)
			if timer.Stop(); time.Since(began) < tt.want || tt.want == 0 && time.Since(began) > 0 || time.Since(began) > tt.want+cleanEvery {
				t.Errorf("%s: after %v", tt.name, time.Since(began))
			}
			if (err != nil) != !tt.kept {
				t.Errorf("%s: %v", tt.name, err)
			}
		})
	}
}
