package boot

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/md"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/arrays"
)

// mdadm's list has a line for each array, which only root can read, and there is none without
// arrays; udev has a record of each.
func TestAnnounceArrays(t *testing.T) {
	run := t.TempDir()
	if err := announceArrays(nil, run); err != nil {
		t.Error(err)
	}
	if entries, err := os.ReadDir(run); err != nil || len(entries) > 0 {
		t.Errorf("without arrays: %v, %v", entries, err)
	}
	set := md.UUID{0x3a, 0xaa, 0x01, 0x22, 0x29, 0x82, 0x7c, 0xfa, 0x53, 0x31, 0xad, 0x66, 0xca, 0x76, 0x73, 0x71}
	made := []arrays.Made{{Node: "md127", Metadata: "1.2", Set: set, Path: "/dev/md/root"}, {Node: "md126", Metadata: "1.0", Path: "/dev/md126"}}
	if err := announceArrays(made, run); err != nil {
		t.Fatal(err)
	}
	const want = "md127 1.2 2201aa3a:fa7c8229:66ad3153:717376ca /dev/md/root\nmd126 1.0 00000000:00000000:00000000:00000000 /dev/md126\n"
	path := filepath.Join(run, "mdadm/map")
	b, err := os.ReadFile(path)
	info, serr := os.Stat(path)
	if err != nil || serr != nil || string(b) != want || info.Mode().Perm() != 0o600 {
		t.Errorf("%q, %v, %v, %v", b, info, err, serr)
	}
	for _, name := range []string{"b9:127", "b9:126"} {
		if b, err := os.ReadFile(filepath.Join(run, "udev/data", name)); err != nil || string(b) != "E:LVM_MD_PV_ACTIVATED=1\nV:1\n" {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("left are %v, %v", entries, err)
	}
	if err := announceArrays(nil, run); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("an earlier list is left: %v", err)
	}
}
