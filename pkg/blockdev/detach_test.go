package blockdev

import (
	"os"
	"path/filepath"
	"testing"
)

// A unit is removed, without a flush of its disk's cache. One that does not exist, or has no disk,
// is no error.
func TestDetach(t *testing.T) {
	const dir = "class/scsi_device/2:0:0:1/device/"
	const cache, remove = dir + "scsi_disk/2:0:0:1/cache_type", dir + "delete"
	for name, files := range map[string]map[string]string{
		"disk":    {cache: "write back\n", remove: ""},
		"no disk": {remove: ""},
		"gone":    {},
	} {
		sys := tree(t, files)
		if err := Detach(sys, LUN{Number: 1, Address: "2:0:0:1"}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for file, want := range map[string]string{cache: writeThrough, remove: "1"} {
			b, err := os.ReadFile(filepath.Join(sys, file))
			if _, there := files[file]; there != (err == nil) || there && string(b) != want {
				t.Errorf("%s: %s is %q, %v", name, file, b, err)
			}
		}
	}
	sys := tree(t, map[string]string{remove + "/x": ""})
	if err := Detach(sys, LUN{Number: 1, Address: "2:0:0:1"}); err == nil {
		t.Error("no error where the file cannot be written to")
	}
}
