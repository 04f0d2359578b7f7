package initramfs_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/u-root/u-root/pkg/cpio"

	"github.com/iscsiroot/iscsiroot/pkg/kmod/kmodtest"
)

const release = "6.1.0-test"

// moduleTree is a small tree of modules: what every image needs, two NICs and things that no image
// should hold. One module is compressed with each method that a distribution uses.
var moduleTree = []struct{ path, deps string }{
	{"kernel/drivers/scsi/scsi_mod.ko", ""},
	{"kernel/drivers/scsi/sd_mod.ko", "kernel/drivers/scsi/scsi_mod.ko"},
	{"kernel/drivers/scsi/libiscsi.ko.zst", "kernel/drivers/scsi/scsi_mod.ko"},
	{"kernel/drivers/scsi/iscsi_tcp.ko.gz", "kernel/drivers/scsi/libiscsi.ko.zst kernel/drivers/scsi/scsi_mod.ko"},
	{"kernel/crypto/crc32c_generic.ko", ""},
	{"kernel/fs/ext4/ext4.ko", ""},
	{"kernel/fs/xfs/xfs.ko", ""},
	{"kernel/drivers/virtio/virtio_pci.ko", ""},
	{"kernel/drivers/net/virtio_net.ko", ""},
	{"kernel/drivers/net/phy/libphy.ko", ""},
	{"kernel/drivers/net/phy/realtek.ko", "kernel/drivers/net/phy/libphy.ko"},
	{"kernel/drivers/net/ethernet/realtek/r8169.ko", "kernel/drivers/net/phy/libphy.ko"},
	{"kernel/drivers/net/usb/ax88179_178a.ko", ""},
	{"kernel/drivers/usb/host/xhci-pci.ko", ""},
	{"kernel/drivers/net/wireless/ath9k.ko", ""},
	{"kernel/drivers/block/virtio_blk.ko", ""},
}

// extraInfo is the other .modinfo of the modules.
var extraInfo = map[string][]string{
	"kernel/drivers/net/ethernet/realtek/r8169.ko": {"firmware=rtl_nic/one.fw", "firmware=rtl_nic/two.fw", "firmware=rtl_nic/*.pattern"},
	"kernel/drivers/net/usb/ax88179_178a.ko":       {"firmware=none.bin", "firmware=../../etc/shadow"},
}

const moduleAliases = `alias fs-ext4 ext4
alias fs-ext3 ext4
alias fs-ext2 ext4
alias crypto-crc32c crc32c_generic
alias virtio:d00000001v* virtio_net
alias virtio:d00000002v* virtio_blk
alias pci:v00001AF4d*sv*sd*bc*sc*i* virtio_pci
alias pci:v000010ECd00008169sv*sd*bc*sc*i* r8169
alias usb:v0B95p1790d*dc*dsc*dp*ic*isc*ip*in* ax88179_178a
`

// newTree writes the module tree below a new directory, as depmod leaves it, and returns that
// directory.
func newTree(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	dir := filepath.Join(root, "lib/modules", release)
	var dep strings.Builder
	for _, m := range moduleTree {
		fmt.Fprintf(&dep, "%s: %s\n", m.path, m.deps)
		writeFile(t, filepath.Join(dir, m.path), pack(t, m.path, moduleBytes(m.path)))
	}
	writeFile(t, filepath.Join(dir, "modules.dep"), []byte(dep.String()))
	writeFile(t, filepath.Join(dir, "modules.alias"), []byte(moduleAliases))
	writeFile(t, filepath.Join(dir, "modules.softdep"), []byte("softdep ext4 pre: crypto-crc32c\n"))
	writeFile(t, filepath.Join(dir, "modules.builtin"), []byte("kernel/crypto/md5.ko\n"))
	writeFile(t, filepath.Join(dir, "modules.builtin.modinfo"), []byte("md5.license=GPL\x00md5.alias=crypto-md5\x00"))
	return root
}

// moduleBytes is the unpacked content of a module.
func moduleBytes(path string) []byte {
	name, _, _ := strings.Cut(path, ".ko")
	about := []string{"license=GPL", "name=" + name[strings.LastIndexByte(name, '/')+1:]}
	return append(kmodtest.Module(append(about, extraInfo[path]...)...), "signature~Module signature appended~\n"...)
}

// pack compresses data by the suffix of name.
func pack(t *testing.T, name string, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	switch filepath.Ext(name) {
	case ".gz":
		w = gzip.NewWriter(&b)
	case ".zst":
		var err error
		if w, err = zstd.NewWriter(&b); err != nil {
			t.Fatal(err)
		}
	default:
		return data
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func writeFile(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// unpackImage returns the records of an uncompressed image by name, and the names in order.
func unpackImage(t *testing.T, image []byte) (map[string]cpio.Record, []string) {
	t.Helper()
	recs, err := cpio.ReadAllRecords(cpio.Newc.Reader(bytes.NewReader(image)))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]cpio.Record{}
	var names []string
	for _, r := range recs {
		if _, twice := out[r.Name]; twice {
			t.Errorf("%s is in the image twice", r.Name)
		}
		out[r.Name] = r
		names = append(names, r.Name)
	}
	return out, names
}

// text returns the content of a record.
func text(t *testing.T, r cpio.Record) string {
	t.Helper()
	data, err := io.ReadAll(io.NewSectionReader(r.ReaderAt, 0, int64(r.FileSize)))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
