package integration

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
)

// nic is a card that QEMU has, and the driver that init finds by the card's alias.
type nic struct {
	model, driver string
	mii           bool // the driver needs the module mii
}

// nics are those the HOWTO names and today's. QEMU's rtl8139 is a C+, for 8139cp; 8139too's older chip it has not.
var nics = []nic{
	{"virtio-net-pci", "virtio_net", false},
	{"e1000", "e1000", false},
	{"e1000e", "e1000e", false},
	{"i82557b", "e100", true},
	{"i82559er", "e100", true},
	{"i82551", "e100", true}, // does not come up without microcode
	{"tulip", "tulip", false},
	{"rtl8139", "8139cp", true},
	{"pcnet", "pcnet32", true},
	{"vmxnet3", "vmxnet3", false},
}

// microcode writes what stands for the microcode of Intel's cards: 134 words and three numbers below 134
// (drivers/net/ethernet/intel/e100.c: e100_request_firmware).
var microcode = sync.OnceValues(func() (string, error) {
	name := filepath.Join(built.dir, "ucode.bin")
	return name, os.WriteFile(name, make([]byte, 134*4+3), 0o600)
})

// allNICs is the image with the drivers of all cards, and with e100's microcode.
func allNICs(t testing.TB, kernel string) image {
	t.Helper()
	file, err := microcode()
	if err != nil {
		t.Fatal(err)
	}
	return image{kernel: kernel, file: file + ":/lib/firmware/e100/d102e_ucode.bin"}
}

// Every card's driver is found in the image that has all, its link is waited for, and an old ext3 is root.
func TestNICMatrix(t *testing.T) {
	t.Parallel()
	const each = 2
	for _, row := range rows(t, len(nics)/each) {
		for _, n := range nics[each*row : each*row+each] {
			t.Run(n.model, func(t *testing.T) { n.boot(t, "amd64") })
		}
	}
}

func (n nic) boot(t *testing.T, kernel string) {
	t.Helper()
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext3", MiB: 32, Tree: root("")})
	r.gotgt()
	m := r.boot(allNICs(t, kernel), n.model, "console=ttyS0 rd.debug "+seedLine)
	r.expect(m, "loaded "+n.driver, " is up with 10.77.0.2/24", "guest: mount: /dev/sda2 / ext3 ro,")
	r.off(m)
	if n.mii {
		r.shows(m, "loaded mii")
	}
}
