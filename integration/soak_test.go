//go:build soak

package integration

import (
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
)

// Every NIC model that QEMU and Debian both have, with every kernel, boots the
// HOWTO's command line from the image with all drivers.
func TestSoakMatrix(t *testing.T) {
	models := []string{
		"virtio-net-pci", "virtio-net-pci-non-transitional", "e1000", "e1000e", "rtl8139", "i82557b", "i82801", "tulip", "pcnet", "vmxnet3", "ne2k_pci",
	}
	for _, kernel := range []string{"amd64", "amd64-6.12"} {
		for _, model := range models {
			t.Run(kernel+"/"+model, func(t *testing.T) { bootModel(t, kernel, model) })
		}
	}
	// The cloud kernel has drivers for virtual machines only.
	for _, model := range models[:2] {
		t.Run("cloud-amd64/"+model, func(t *testing.T) { bootModel(t, "cloud-amd64", model) })
	}
}

func bootModel(t *testing.T, kernel, model string) {
	r := newRig(t)
	r.makeDisk(lab.Filesystem{Type: "ext4", MiB: 32, Tree: root("")})
	r.gotgt()
	m := r.boot(image{kernel: kernel}, model, "console=ttyS0 "+seedLine)
	r.expect(m, "guest: mount: /dev/sda2 / ext4 ro,")
	r.off(m)
}

// Fifty boots one after the other: none may hang or fail.
func TestSoakFiftyBoots(t *testing.T) {
	r := newRig(t)
	r.makeDisk(lab.Filesystem{Type: "ext4", MiB: 32, Tree: root("")})
	r.gotgt()
	for range 50 {
		r.renew()
		m := r.boot(virtio, "", "console=ttyS0 rw "+seedLine)
		r.off(m)
	}
}
