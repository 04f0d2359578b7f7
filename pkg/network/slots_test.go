package network

import (
	"os"
	"path/filepath"
	"testing"
)

// A device is in the slot whose address its own begins with; a slot without a number above 0, or
// without an address, is none (systemd.net-naming-scheme(7), ID_NET_NAME_SLOT).
func TestSlotOf(t *testing.T) {
	for _, tt := range []struct {
		name  string
		slots map[string]string
		want  uint64
	}{
		{"its own", map[string]string{"3": "0000:00:04", "7": "0000:00:03"}, 7},
		{"none", map[string]string{"3": "0000:00:04"}, 0},
		{"without an address", map[string]string{"1": "", "7": "0000:00:03"}, 7},
		{"only one without an address", map[string]string{"1": ""}, 0},
		{"by a name", map[string]string{"slot": "0000:00:03"}, 0},
		{"number 0", map[string]string{"0": "0000:00:03"}, 0},
		{"with a letter behind", map[string]string{"7-1": "0000:00:03"}, 0},
	} {
		dir := t.TempDir()
		for slot, address := range tt.slots {
			if err := os.Mkdir(filepath.Join(dir, slot), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, slot, "address"), []byte(address+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got := (pciNIC{slots: dir}).slotOf("0000:00:03.0"); got != tt.want {
			t.Errorf("%s: slot %d, want %d", tt.name, got, tt.want)
		}
	}
	if got := (pciNIC{slots: filepath.Join(t.TempDir(), "none")}).slotOf("0000:00:03.0"); got != 0 {
		t.Errorf("without slots: %d", got)
	}
}
