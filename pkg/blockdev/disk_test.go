package blockdev

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// tree makes a sysfs of files with their content.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	sys := t.TempDir()
	for name, text := range files {
		path := filepath.Join(sys, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return sys
}

func TestUnits(t *testing.T) {
	const dev = "class/iscsi_session/session3/device/"
	sys := tree(t, map[string]string{
		dev + "target2:0:0/2:0:0:0/type":           "12\n",
		dev + "target2:0:0/2:0:0:10/type":          "0\n",
		dev + "target2:0:0/2:0:0:1/type":           "0\n",
		dev + "target2:0:0/2:0:0:1/block/sdb/size": "8\n",
		dev + "target2:0:0/2:0:0:2/vendor":         "going away\n",
		dev + "target2:0:0/power/control":          "auto\n",
		dev + "connection3:0/uevent":               "",
		dev + "target2:0:0/2:0:0:x/type":           "0\n",
	})
	got, err := Units(sys, 3)
	want := []Unit{{0, 12, ""}, {1, 0, "sdb"}, {10, 0, ""}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	if got[0].IsDisk() || !got[1].IsDisk() {
		t.Error("a controller is no disk, type 0 is")
	}
	if _, err := Units(sys, 4); err == nil {
		t.Error("a session that is not there has units")
	}
}

func TestDisk(t *testing.T) {
	sys := tree(t, map[string]string{
		"class/block/sda/size":            "2048\n",
		"class/block/sda/sda10/partition": "10\n",
		"class/block/sda/sda10/size":      "1\n",
		"class/block/sda/sda2/partition":  "2\n",
		"class/block/sda/queue/x":         "",
	})
	whole, parts, err := Disk(sys, "sda")
	if err != nil || whole != (Device{"sda", 0, 1 << 20}) || whole.Path() != "/dev/sda" {
		t.Errorf("got %+v, %v", whole, err)
	}
	if !slices.Equal(parts, []Device{{"sda2", 2, 0}, {"sda10", 10, 512}}) {
		t.Errorf("got %+v", parts)
	}
	if _, _, err := Disk(sys, "sdz"); err == nil {
		t.Error("a disk that is not there has partitions")
	}
}
