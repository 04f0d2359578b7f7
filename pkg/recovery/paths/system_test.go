package paths

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/uevent"
)

// A sector is read whole.
func TestReadSector(t *testing.T) {
	dev := t.TempDir()
	for name, size := range map[string]int{"whole": 4096, "short": 512} {
		if err := os.WriteFile(filepath.Join(dev, name), make([]byte, size), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	read := ReadSector(dev)
	for name, ok := range map[string]bool{"whole": true, "short": false, "none": false} {
		if err := read(name); (err == nil) != ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The events after which the access states are read again.
func TestUnitChanged(t *testing.T) {
	for e, want := range map[uevent.Event]bool{
		{}: true,
		{Action: "change", Subsystem: "scsi", DevPath: "/devices/platform/host2/session1/target2:0:0/2:0:0:0"}: true,
		{Action: "bind", Subsystem: "scsi"}: false, {Action: "change", Subsystem: "block"}: false,
	} {
		if got := unitChanged(e); got != want {
			t.Errorf("%+v: %t", e, got)
		}
	}
}
