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

func TestLUNs(t *testing.T) {
	const dev = "class/iscsi_session/session3/device/"
	sys := tree(t, map[string]string{
		dev + "target2:0:0/2:0:0:0/type":           "12\n",
		dev + "target2:0:0/2:0:0:10/type":          "0\n",
		dev + "target2:0:0/2:0:0:10/inquiry":       "\x00\x00\x05",
		dev + "target2:0:0/2:0:0:11/type":          "0\n",
		dev + "target2:0:0/2:0:0:11/inquiry":       "\x20\x00\x05",
		dev + "target2:0:0/2:0:0:1/type":           "0\n",
		dev + "target2:0:0/2:0:0:1/block/sdb/size": "8\n",
		// REPORT LUNS' well-known unit, and a LUN of four levels (SAM-5 4.7).
		dev + "target2:0:0/2:0:0:49409/type":               "30\n",
		dev + "target2:0:0/2:0:0:9223372036854775809/type": "0\n",
		dev + "target2:0:0/2:0:0:4294967297/type":          "0\n",
		dev + "target2:0:0/2:0:0:2/vendor":                 "going away\n",
		dev + "target2:0:0/power/control":                  "auto\n",
		dev + "connection3:0/uevent":                       "",
		dev + "target2:0:0/2:0:0:x/type":                   "0\n",
	})
	got, err := LUNs(sys, 3)
	want := []LUN{
		{Session: 3, Type: 12, Address: "2:0:0:0"},
		{Session: 3, Number: 1, Disk: "sdb", Address: "2:0:0:1"},
		{Session: 3, Number: 10, Address: "2:0:0:10"},
		{Session: 3, Number: 11, Address: "2:0:0:11", Absent: true},
		{Session: 3, Number: 49409, Type: 30, Address: "2:0:0:49409"},
		{Session: 3, Number: 1<<32 + 1, Address: "2:0:0:4294967297"},
		{Session: 3, Number: 1<<63 + 1, Address: "2:0:0:9223372036854775809"},
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	if got[0].IsDisk() || !got[1].IsDisk() || got[3].IsDisk() {
		t.Error("a controller is not a disk, type 0 is, unless no device is there")
	}
	if _, err := LUNs(sys, 4); err == nil {
		t.Error("a session that is not there has units")
	}
}
