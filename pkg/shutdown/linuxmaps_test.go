package shutdown

import (
	"fmt"
	gomaps "maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/dm"
	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/maps"
)

// The maps and arrays on the sessions' disks that nothing stands on are removed: those of a local
// disk, or of another session, are not the boot's.
func TestAboveSessions(t *testing.T) {
	const virtual = "devices/virtual/block/"
	l := ourSession(t, map[string]string{
		"devices/platform/host7/session3/target7:0:0/7:0:0:1/block/sda/size":           "2048\n",
		"devices/platform/host7/session3/target7:0:0/7:0:0:1/block/sda/sda2/partition": "2\n",
		"devices/platform/host9/session4/target9:0:0/9:0:0:1/block/sdb/size":           "2048\n",
		"devices/pci0/virtio0/block/vda/size":                                          "2048\n",
		virtual + "dm-0/dm/name":                                                       "vg-root_rimage_0\n", virtual + "dm-0/slaves/sda2/.keep": "", virtual + "dm-0/holders/dm-1/.keep": "",
		virtual + "dm-1/dm/name": "vg-root\n", virtual + "dm-1/slaves/dm-0/.keep": "", virtual + "dm-1/holders/.keep": "",
		virtual + "dm-2/dm/name": "local\n", virtual + "dm-2/slaves/vda/.keep": "",
		virtual + "dm-3/dm/name": "other\n", virtual + "dm-3/slaves/sdb/.keep": "",
		virtual + "dm-4/dm/name": "vg-swap\n", virtual + "dm-4/slaves/sda2/.keep": "",
		virtual + "md127/md/array_state": "clean\n", virtual + "md127/slaves/sda2/.keep": "", virtual + "md127/holders/.keep": "",
		virtual + "md126/md/array_state": "clean\n", virtual + "md126/slaves/sda2/.keep": "", virtual + "md126/holders/dm-4/.keep": "",
		virtual + "md1/md/array_state": "clean\n", virtual + "md1/slaves/vda/.keep": "", virtual + "md1/holders/.keep": "",
		virtual + "md2/md/array_state": "clear\n", virtual + "md2/holders/.keep": "", // a node without an array
		virtual + "md3/md/array_state": "clean\n", virtual + "md3/slaves/dm-5/.keep": "", virtual + "md3/md3p1/partition": "1\n", virtual + "md3/md3p1/holders/.keep": "", // on a volume
		virtual + "dm-5/dm/name": "vg-under\n", virtual + "dm-5/slaves/sda2/.keep": "", virtual + "dm-5/holders/md3/.keep": "",
		"class/block/.keep": "",
	})
	for _, at := range []string{
		"devices/platform/host7/session3/target7:0:0/7:0:0:1/block/sda", "devices/platform/host7/session3/target7:0:0/7:0:0:1/block/sda/sda2",
		"devices/platform/host9/session4/target9:0:0/9:0:0:1/block/sdb", "devices/pci0/virtio0/block/vda", virtual + "dm-0", virtual + "dm-1", virtual + "dm-2", virtual + "dm-3", virtual + "dm-4", virtual + "dm-5", virtual + "md127", virtual + "md126", virtual + "md1", virtual + "md2", virtual + "md3",
	} {
		if err := os.Symlink("../../"+at, filepath.Join(l.sys, "class/block", filepath.Base(at))); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("devices/virtual/block", filepath.Join(l.sys, "block")); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"dm-1/holders", "md127/holders", "md1/holders", "md2/holders", "md3/md3p1/holders"} {
		if err := os.Remove(filepath.Join(l.sys, virtual, dir, ".keep")); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"dm-2", "dm-3", "dm-4"} {
		if err := os.Mkdir(filepath.Join(l.sys, virtual, name, "holders"), 0o755); err != nil {
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

// multipathed is device-mapper with multipath maps, each of one path.
type multipathed struct {
	maps.Mapper
	tables map[string]string
	did    []string
}

func (m *multipathed) Close() error { return nil }

func (m *multipathed) List() (out []dm.Entry, err error) {
	for _, name := range slices.Sorted(gomaps.Keys(m.tables)) {
		out = append(out, dm.Entry{Name: name})
	}
	return out, nil
}

func (m *multipathed) Info(name string) (dm.Info, error) {
	return dm.Info{UUID: "mpath-" + name, Active: true}, nil
}

func (m *multipathed) Table(name string) (table.Table, error) {
	params, _, _ := strings.Cut(m.tables[name], "|")
	target, err := table.Parse("multipath", params)
	return table.Table{{Length: 8, Target: target}}, err
}

func (m *multipathed) Status(name string) ([]dm.Status, error) {
	_, text, _ := strings.Cut(m.tables[name], "|")
	return []dm.Status{{Length: 8, Type: "multipath", Text: text}}, nil
}

func (m *multipathed) Message(name string, _ uint64, text string) (string, error) {
	m.did = append(m.did, name+" "+text)
	return "", nil
}

// Of our maps the I/O of those fails that have no path, and at the end that of all that would wait.
func TestFailMaps(t *testing.T) {
	const disk = "devices/platform/host7/session3/target7:0:0/7:0:0:1/block/sda"
	const foreign = "devices/platform/host9/session4/target9:0:0/9:0:0:1/block/sdb"
	l := ourSession(t, map[string]string{
		disk + "/size": "2048\n", disk + "/dev": "8:0\n", foreign + "/size": "2048\n", foreign + "/dev": "8:16\n",
		"devices/virtual/block/dm-0/dm/name": "a\n", "devices/virtual/block/dm-0/size": "8\n", "class/block/.keep": "", "dev/block/.keep": "",
	})
	for name, at := range map[string]string{
		"class/block/sda": disk, "class/block/sdb": foreign, "class/block/dm-0": "devices/virtual/block/dm-0", "dev/block/8:0": disk, "dev/block/8:16": foreign,
	} {
		if err := os.Symlink("../../"+at, filepath.Join(l.sys, name)); err != nil {
			t.Fatal(err)
		}
	}
	const queue, fails = "1 queue_if_no_path 0 1 1 service-time 0 1 1 %s 1", "0 0 1 1 service-time 0 1 1 %s 1"
	const status = "|2 0 1 0 1 1 E 0 1 2 %s %s 0 0 1"
	m := &multipathed{tables: map[string]string{
		"dead": fmt.Sprintf(queue+status, "8:0", "8:0", "F"), "works": fmt.Sprintf(queue+status, "8:0", "8:0", "A"),
		"fails": fmt.Sprintf(fails+status, "8:0", "8:0", "F"), "other": fmt.Sprintf(queue+status, "8:16", "8:16", "F"),
		"gone": fmt.Sprintf(queue+status, "8:32", "8:32", "A"),
	}}
	l.multipath = &maps.Maps{Sys: l.sys, Open: func() (maps.Mapper, error) { return m, nil }}
	if got := l.FailMaps(false); !slices.Equal(got, []string{"dead", "gone"}) || !slices.Equal(m.did, []string{"dead fail_if_no_path", "gone fail_if_no_path"}) {
		t.Errorf("%q, did %q", got, m.did)
	}
	m.did = nil
	if got := l.FailMaps(true); !slices.Equal(got, []string{"dead", "gone"}) || !slices.Equal(m.did, []string{"dead fail_if_no_path", "gone fail_if_no_path", "works fail_if_no_path"}) {
		t.Errorf("all: %q, did %q", got, m.did)
	}
}
