package integration

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
)

// nic is a NIC model of QEMU, and the driver that init finds by its modalias.
type nic struct {
	model, driver string
	mii           bool // the driver needs the module mii
}

// nics are the models of the HOWTO and current ones. QEMU's rtl8139 is a C+, for 8139cp; QEMU has
// no older chip for 8139too.
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

// microcode writes a stand-in for the microcode of Intel's NICs: 134 words and three numbers below
// 134 (drivers/net/ethernet/intel/e100.c: e100_request_firmware).
var microcode = sync.OnceValues(func() (string, error) {
	name := filepath.Join(built.dir, "ucode.bin")
	return name, os.WriteFile(name, make([]byte, 134*4+3), 0o600)
})

// allNICs is the image with the drivers of all NICs, and with e100's microcode.
func allNICs(t testing.TB, kernel string) image {
	t.Helper()
	file, err := microcode()
	if err != nil {
		t.Fatal(err)
	}
	return image{kernel: kernel, file: file + ":/lib/firmware/e100/d102e_ucode.bin"}
}

// With the image of all drivers, each NIC's driver is found and its link comes up; root is an ext3.
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
	r.waitOff(m)
	if n.mii {
		r.checkShown(m, "loaded mii")
	}
}
