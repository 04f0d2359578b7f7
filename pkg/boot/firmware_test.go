package boot

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/iscsiroot/iscsiroot/pkg/ibft"
)

// A table in sysfs is read, none is nothing, and a broken one is told.
func TestFirmware(t *testing.T) {
	const name = "firmware/acpi/tables/iBFT"
	good, err := ibft.Table{Initiator: ibft.Initiator{Flags: ibft.Valid, Name: "iqn.x:a"}}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if table, odd := firmware(fstest.MapFS{name: {Data: good}}); table == nil || table.Initiator.Name != "iqn.x:a" || odd != nil {
		t.Errorf("table %v, %q", table, odd)
	}
	if table, odd := firmware(fstest.MapFS{}); table != nil || odd != nil {
		t.Errorf("table %v, %q without any", table, odd)
	}
	good[20] ^= 1
	if table, odd := firmware(fstest.MapFS{name: {Data: good}}); table != nil || len(odd) != 1 || !strings.Contains(odd[0], "iBFT") {
		t.Errorf("table %v, %q for a wrong checksum", table, odd)
	}
}
