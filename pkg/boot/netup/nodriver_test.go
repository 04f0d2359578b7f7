package netup

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/network"
)

// fakePCI makes a PCI device in a directory as /sys/bus/pci/devices.
func fakePCI(t *testing.T, dir, slot, class, vendor, device string, driver bool) {
	t.Helper()
	files := map[string]string{}
	for name, text := range map[string]string{"class": class, "vendor": vendor, "device": device} {
		files[filepath.Join(dir, slot, name)] = text + "\n"
	}
	writeFiles(t, files)
	if driver {
		if err := os.Symlink("../../drivers/some", filepath.Join(dir, slot, "driver")); err != nil {
			t.Fatal(err)
		}
	}
}

// Only network controllers without a driver are listed, of whatever kind.
func TestUnclaimed(t *testing.T) {
	dir := t.TempDir()
	fakePCI(t, dir, "0000:00:02.0", "0x030000", "0x1234", "0x1111", false) // a display
	fakePCI(t, dir, "0000:00:03.0", "0x020000", "0x8086", "0x100e", false) // Ethernet
	fakePCI(t, dir, "0000:00:04.0", "0x020000", "0x1af4", "0x1000", true)  // with its driver
	fakePCI(t, dir, "0000:00:05.0", "0x028000", "0x8086", "0x24fd", false) // wireless
	writeFiles(t, map[string]string{filepath.Join(dir, "0000:00:06.0", "vendor"): "0x8086\n"})
	want := []string{"0000:00:03.0 (pci 8086:100e)", "0000:00:05.0 (pci 8086:24fd)"}
	if diff := cmp.Diff(want, unclaimed(dir)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := unclaimed(filepath.Join(dir, "none")); got != nil {
		t.Errorf("without a PCI bus: %q", got)
	}
}

// Hardware is listed only where there is no NIC at all.
func TestExplainNoNIC(t *testing.T) {
	dead := &network.WaitError{State: network.State{Links: []network.Link{{Name: "eth0"}}}, Err: os.ErrDeadlineExceeded}
	other := errors.New("add address: permission denied")
	for _, err := range []error{dead, other} {
		if got := explainNoNIC(err); got != err { //nolint:errorlint // the very same
			t.Errorf("%v became %v", err, got)
		}
	}
}

func writeFiles(t *testing.T, files map[string]string) {
	t.Helper()
	for path, text := range files {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
