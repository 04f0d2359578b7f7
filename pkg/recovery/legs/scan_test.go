package legs

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
)

// The physical volumes of a multipath map are on its partitions, and none is on a path.
func TestDevicesOfMap(t *testing.T) {
	sys := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(sys, "class/block", name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	for name, uuid := range map[string]string{"dm-5": "mpath-36001\n", "dm-6": "part1-mpath-36001\n", "sda": "", "sdb": ""} {
		write(name+"/size", "4096\n")
		if uuid != "" {
			write(name+"/dm/uuid", uuid)
			write(name+"/dm/name", "36001\n")
		}
	}
	for _, path := range []string{"sda", "sdb"} {
		write(path+"/holders/dm-5", "")
		write("dm-5/slaves/"+path, "")
	}
	write("dm-5/holders/dm-6", "")
	write("dm-6/slaves/dm-5", "")
	r := &Refresher{Sys: sys}
	for _, name := range []string{"dm-5", "sda"} {
		got := r.devices([]*blockdev.Device{{Name: name}})
		if name == "sda" && len(got) != 0 || name == "dm-5" && (len(got) != 1 || got[0].Name != "dm-6") {
			t.Errorf("%s: %v", name, got)
		}
	}
}
