package boot

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/iscsiroot/iscsiroot/pkg/ibft"
	"github.com/iscsiroot/iscsiroot/pkg/ibft/ibfttest"
)

// A table in sysfs is read, a missing one is nil, and a broken one is a warning.
func TestFirmware(t *testing.T) {
	const name = "firmware/acpi/tables/iBFT"
	good, err := ibfttest.Encode(ibft.Table{Initiator: ibft.Initiator{Flags: ibft.Valid, Name: "iqn.x:a"}})
	if err != nil {
		t.Fatal(err)
	}
	if table, odd := firmware(fstest.MapFS{name: {Data: good}}, nil); table == nil || table.Initiator.Name != "iqn.x:a" || odd != nil {
		t.Errorf("table %v, %q", table, odd)
	}
	if table, odd := firmware(fstest.MapFS{}, nil); table != nil || odd != nil {
		t.Errorf("table %v, %q without any", table, odd)
	}
	odd, err := ibfttest.Encode(ibft.Table{
		Initiator: ibft.Initiator{Flags: ibft.Valid, Name: "iqn.x:a"}, Targets: []ibft.Target{{Flags: ibft.Valid, Name: "iqn.x:t"}, {Flags: ibft.Valid, Name: "iqn.x:u"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	table, warnings := firmware(fstest.MapFS{name: {Data: odd}}, nil)
	if table == nil || table.Initiator.Name != "iqn.x:a" || len(warnings) != 2 || !strings.HasPrefix(warnings[0], "ACPI table iBFT: read iBFT: target 0 at byte ") {
		t.Errorf("table %v, %q for targets without an address", table, warnings)
	}
	good[20] ^= 1
	if table, odd := firmware(fstest.MapFS{name: {Data: good}}, nil); table != nil || len(odd) != 1 || !strings.Contains(odd[0], "iBFT") {
		t.Errorf("table %v, %q for a wrong checksum", table, odd)
	}
}

// A table that is in low memory only is found there.
func TestFirmwareInMemory(t *testing.T) {
	good, err := ibfttest.Encode(ibft.Table{Initiator: ibft.Initiator{Flags: ibft.Valid, Name: "iqn.x:a"}})
	if err != nil {
		t.Fatal(err)
	}
	memory := make([]byte, ibft.LowMemoryEnd)
	copy(memory[0x9e620:], good)
	if table, odd := firmware(fstest.MapFS{}, bytes.NewReader(memory)); table == nil || table.Initiator.Name != "iqn.x:a" || odd != nil {
		t.Errorf("table %v, %q", table, odd)
	}
}

func TestMachineUUID(t *testing.T) {
	dir := t.TempDir()
	if got := machineUUID(dir); got != "" {
		t.Errorf("without one: %q", got)
	}
	if err := os.WriteFile(filepath.Join(dir, "product_uuid"), []byte("4C4C4544-0042-3610-8052-B4C04F4A4B31\n"), 0o400); err != nil {
		t.Fatal(err)
	}
	if got := machineUUID(dir); got != "4c4c4544-0042-3610-8052-b4c04f4a4b31" {
		t.Errorf("got %q", got)
	}
}
