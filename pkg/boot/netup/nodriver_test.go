package netup

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/network"
)

// fakeDevice makes a device in a directory as /sys/bus; attrs are pairs of an attribute and its
// text.
func fakeDevice(t *testing.T, buses, name string, driver bool, attrs ...string) {
	t.Helper()
	dev := filepath.Join(buses, name)
	files := map[string]string{}
	for i := 0; i < len(attrs); i += 2 {
		files[filepath.Join(dev, attrs[i])] = attrs[i+1] + "\n"
	}
	writeFiles(t, files)
	if driver {
		if err := os.Symlink("../../drivers/some", filepath.Join(dev, "driver")); err != nil {
			t.Fatal(err)
		}
	}
}

// Only network devices without a driver are listed, of whatever kind.
func TestUnclaimed(t *testing.T) {
	dir := t.TempDir()
	fakePCI := func(slot, class, vendor, device string, driver bool) {
		fakeDevice(t, dir, "pci/devices/"+slot, driver, "class", class, "vendor", vendor, "device", device)
	}
	fakePCI("0000:00:02.0", "0x030000", "0x1234", "0x1111", false) // a display
	fakePCI("0000:00:03.0", "0x020000", "0x8086", "0x100e", false) // Ethernet
	fakePCI("0000:00:04.0", "0x020000", "0x1af4", "0x1000", true)  // with its driver, that of the bus virtio
	fakePCI("0000:00:05.0", "0x028000", "0x8086", "0x24fd", false) // wireless
	fakeDevice(t, dir, "pci/devices/0000:00:06.0", false, "vendor", "0x8086")
	fakeDevice(t, dir, "virtio/devices/virtio0", false, "modalias", "virtio:d00000001v00001AF4")
	fakeDevice(t, dir, "virtio/devices/virtio1", true, "modalias", "virtio:d00000001v00001AF4")
	fakeDevice(t, dir, "virtio/devices/virtio2", false, "modalias", "virtio:d00000002v00001AF4") // a disk
	fakeDevice(t, dir, "vmbus/devices/f8b3781a", false, "modalias", "vmbus:635161f83edfc546913ff2d2f965ed0e")
	fakeDevice(t, dir, "xen/devices/vif-0", false, "modalias", "xen:vif")
	want := []string{"0000:00:03.0 (pci 8086:100e)", "0000:00:05.0 (pci 8086:24fd)", "virtio0 (virtio_net)", "f8b3781a (hv_netvsc)", "vif-0 (xen_netfront)"}
	if diff := cmp.Diff(want, unclaimed(dir)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := unclaimed(filepath.Join(dir, "none")); got != nil {
		t.Errorf("without a bus: %q", got)
	}
}

// Hardware is listed only where there is no NIC for a line, and where no hardware is found the hint
// has what to look at.
func TestExplainNoNIC(t *testing.T) {
	with, without := t.TempDir(), t.TempDir()
	fakeDevice(t, with, "virtio/devices/virtio0", false, "modalias", "virtio:d00000001v00001AF4")
	dead := &network.WaitError{State: network.State{Links: []network.Link{{Name: "eth0"}}}, Err: os.ErrDeadlineExceeded}
	loading := &network.WaitError{State: network.State{Loading: []string{"e1000e"}}, Err: os.ErrDeadlineExceeded}
	other := errors.New("add address: permission denied")
	for _, err := range []error{dead, loading, other} {
		if got := explainNoNIC(err, with); got != err { //nolint:errorlint // the very same
			t.Errorf("%v became %v", err, got)
		}
	}
	for _, c := range []struct {
		state network.State
		buses string
		want  string
	}{
		{network.State{}, with, "the image has no driver for virtio0 (virtio_net)"},
		{network.State{Other: []string{"eth0"}}, with, "the image has no driver for virtio0 (virtio_net)"},
		{network.State{}, without, "no NIC was found that lacks a driver: check in the firmware's setup"},
		{network.State{Other: []string{"eth0"}}, without, ""},
		{network.State{Busy: []string{"eth0"}}, without, ""},
	} {
		err := explainNoNIC(&network.WaitError{State: c.state, Err: os.ErrDeadlineExceeded}, c.buses)
		if got := sequence.Hint(err); !strings.HasPrefix(got, c.want) || (got == "") != (c.want == "") {
			t.Errorf("%+v: hint %q", c.state, got)
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
