//go:build soak

package integration

import (
	"slices"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
)

// Every NIC model supported by QEMU and Debian, with every kernel, boots the HOWTO's command line
// with the image of all drivers.
func TestSoakMatrix(t *testing.T) {
	for _, kernel := range []string{"amd64", "amd64-6.12"} {
		for _, n := range slices.Concat(nics, moreNICs) {
			t.Run(kernel+"/"+n.model, func(t *testing.T) { n.boot(t, kernel) })
		}
	}
	// The cloud kernel has drivers for virtual machines only.
	for _, n := range []nic{nics[0], moreNICs[0]} {
		t.Run("cloud-amd64/"+n.model, func(t *testing.T) { n.boot(t, "cloud-amd64") })
	}
}

// moreNICs are models that differ little from others, or are slow.
var moreNICs = []nic{
	{"virtio-net-pci-non-transitional", "virtio_net", false},
	{"e1000-82544gc", "e1000", false},
	{"e1000-82545em", "e1000", false},
	{"i82550", "e100", true},
	{"i82557a", "e100", true},
	{"i82557c", "e100", true},
	{"i82558a", "e100", true},
	{"i82558b", "e100", true},
	{"i82559a", "e100", true},
	{"i82559b", "e100", true},
	{"i82559c", "e100", true},
	{"i82562", "e100", true},
	{"i82801", "e100", true},
	{"ne2k_pci", "ne2k_pci", false},
}

// 64 MiB, four times as much as in make test, written and compared, with both targets.
func TestSoakData(t *testing.T) {
	t.Run("gotgt", TestDataFromGotgt)
	t.Run("tgtd", TestDataFromTgtd)
}

// A build with an empty build cache makes the same packages.
func TestSoakPackagesAreReproducible(t *testing.T) { reproducible(t, "GOCACHE="+t.TempDir()) }

// The kernel's reboot after a crash of PID 1, 30 s later.
func TestSoakPanicReboots(t *testing.T) {
	r := newRig(t)
	if _, err := r.panics().WaitEvent(r.ctx, "RESET"); err != nil {
		t.Fatal(err)
	}
}

// Fifty boots one after the other: none may hang or fail.
func TestSoakFiftyBoots(t *testing.T) {
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 32, Tree: root("")})
	r.gotgt()
	for range 50 {
		r.renew()
		m := r.boot(virtio, "", "console=ttyS0 rw "+seedLine)
		r.waitOff(m)
	}
}
