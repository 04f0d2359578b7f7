//go:build linux

package modload

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/kmod"
)

// fakeSys is a sysfs with some devices.
func fakeSys(t *testing.T) string {
	t.Helper()
	sys := t.TempDir()
	for name, text := range map[string]string{
		"bus/pci/devices/0000:00:03.0/modalias":    "pci:v00001AF4d00001000\n",
		"bus/pci/devices/0000:00:04.0/modalias":    "pci:v00001AF4d00001000\n",
		"bus/virtio/devices/virtio0/modalias":      "virtio:d00000001v00001AF4\n",
		"bus/acpi/devices/device:00/modalias":      "\n",
		"bus/acpi/devices/PNP0A03:00/modalias":     "acpi:PNP0A03:\n",
		"bus/cpu/devices/cpu0/online":              "1\n",
		"bus/empty/drivers/x":                      "",
		"bus/platform/devices/a/modalias":          "platform:a\n",
		"devices/pci0000:00/not/on/a/bus/modalias": "no\n",
	} {
		writeFile(t, filepath.Join(sys, name), text)
	}
	return sys
}

// Buses without a wanted module are not read, network cards' come first, and each device is
// returned once.
func TestDevicesNext(t *testing.T) {
	sys := fakeSys(t)
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "modules.dep"), "kernel/drivers/net/virtio_net.ko:\nkernel/drivers/virtio/virtio_pci.ko:\nkernel/other.ko:\n")
	writeFile(t, filepath.Join(dir, "modules.alias"), "alias virtio:d1* virtio_net\nalias pci:v1* virtio_pci\n"+
		"alias acpi*:X:* virtio_pci\nalias of:N* virtio_pci\nalias usb:x virtio_net\nalias platform:a other\n")
	idx, err := kmod.Read(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	d := NewDevices(sys, idx)
	next := func(want ...string) {
		t.Helper()
		got, err := d.Next()
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v, -want +got:\n%s", err, diff)
		}
	}
	next("pci:v00001AF4d00001000")
	next("virtio:d00000001v00001AF4")
	next("acpi:PNP0A03:")
	next()
	writeFile(t, filepath.Join(sys, "bus/pci/devices/0000:01:00.0/modalias"), "pci:new\n")
	next("pci:new")
	next()
}

// With a device tree a device on any bus may have a modalias of it.
func TestDevicesOfTree(t *testing.T) {
	sys := fakeSys(t)
	if got := busFolders(sys, []string{"mdio", "of", "pci"}); !slices.Equal(got, []string{"pci", "mdio_bus", "of"}) {
		t.Errorf("without a device tree: %q", got)
	}
	if err := os.MkdirAll(filepath.Join(sys, "firmware/devicetree"), 0o700); err != nil {
		t.Fatal(err)
	}
	d := &Devices{sys: sys, buses: busFolders(sys, []string{"of", "pci"}), seen: map[string]bool{}}
	var all []string
	for {
		some, err := d.Next()
		if err != nil {
			t.Fatal(err)
		}
		if len(some) == 0 {
			break
		}
		all = append(all, some...)
	}
	want := []string{"acpi:PNP0A03:", "pci:v00001AF4d00001000", "platform:a", "virtio:d00000001v00001AF4"}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	d.sys = filepath.Join(sys, "nothing")
	if _, err := d.Next(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no sysfs: %v", err)
	}
}
