package boot

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/volumes"
)

// Each device has a record, and a root without rules for device-mapper gets some.
func TestAnnounceDM(t *testing.T) {
	made := []volumes.Made{
		{Number: blockdev.Number{Major: 253, Minor: 0}, Name: "vg-root_rimage_0", Hidden: true},
		{Number: blockdev.Number{Major: 253, Minor: 1}, Name: "vg-root", Volume: "vg/root"},
	}
	const rules = "udev/rules.d/60-iscsiroot-dm.rules"
	for _, has := range []string{"", "usr/lib/udev/rules.d/55-dm.rules"} {
		root, run := t.TempDir(), t.TempDir()
		if has != "" {
			if err := errors.Join(os.MkdirAll(filepath.Join(root, filepath.Dir(has)), 0o755), os.WriteFile(filepath.Join(root, has), nil, 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		if err := announceDM(made, nil, root, run); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]bool{"udev/data/b253:0": true, "udev/data/b253:1": false} {
			b, err := os.ReadFile(filepath.Join(run, name))
			if err != nil || strings.Contains(string(b), "DISABLE_DISK") != want {
				t.Errorf("%s: %q, %v", name, b, err)
			}
		}
		b, err := os.ReadFile(filepath.Join(run, rules))
		if (err == nil) != (has == "") || err == nil && !strings.Contains(string(b), `ENV{DM_NAME}=="vg-root", SYMLINK+="vg/root"`) {
			t.Errorf("with %q: %q, %v", has, b, err)
		}
	}
	run := t.TempDir()
	if err := announceDM(nil, nil, t.TempDir(), run); err != nil {
		t.Error(err)
	}
	if entries, err := os.ReadDir(run); err != nil || len(entries) > 0 {
		t.Errorf("without volumes: %v, %v", entries, err)
	}
}

// A multipath map and its partitions have records, and there are rules for its paths.
func TestAnnounceMaps(t *testing.T) {
	d := &blockdev.Device{Name: "dm-0", Map: "3600", Number: blockdev.Number{Major: 253, Minor: 0}, Kind: blockdev.KindMultipath}
	part := &blockdev.Device{Name: "dm-1", Map: "3600-part2", Number: blockdev.Number{Major: 253, Minor: 1}, Partition: &blockdev.Partition{Number: 2}}
	run := t.TempDir()
	if err := announceDM(nil, []rootfs.MadeMap{{Device: d, ID: "3600", Partitions: []*blockdev.Device{part}, Attribute: "naa.600"}}, t.TempDir(), run); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"udev/data/b253:0": "E:MPATH_DEVICE_READY=1", "udev/data/b253:1": "E:DM_UDEV_PRIMARY_SOURCE_FLAG=1",
		"udev/rules.d/59-iscsiroot-multipath.rules": "3600-part2", "udev/rules.d/60-iscsiroot-dm.rules": "DM_NAME",
	} {
		if b, err := os.ReadFile(filepath.Join(run, name)); err != nil || !strings.Contains(string(b), want) {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
}

// A map whose name rules cannot have does not take the records of the volumes away.
func TestAnnounceOddMap(t *testing.T) {
	odd := &blockdev.Device{Name: "dm-0", Map: `3600"`, Number: blockdev.Number{Major: 253, Minor: 0}, Kind: blockdev.KindMultipath}
	run := t.TempDir()
	made := []volumes.Made{{Number: blockdev.Number{Major: 253, Minor: 1}, Name: "vg-root", Volume: "vg/root"}}
	if err := announceDM(made, []rootfs.MadeMap{{Device: odd, ID: "3600"}}, t.TempDir(), run); err == nil {
		t.Error("no error")
	}
	for _, name := range []string{"udev/data/b253:0", "udev/data/b253:1", "udev/rules.d/60-iscsiroot-dm.rules"} {
		if _, err := os.Stat(filepath.Join(run, name)); err != nil {
			t.Error(err)
		}
	}
}
