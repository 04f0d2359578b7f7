package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/lab/deps"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
)

// uki is one EFI file of kernel, image and command line.
func (r *rig) uki() (path string) {
	r.t.Helper()
	stub, err := deps.BootFile("linuxx64.efi.stub")
	if err != nil {
		r.t.Fatal(err)
	}
	k, err := virtio.find()
	if err != nil {
		r.t.Fatal(err)
	}
	img, _ := r.buildImage(func(c *initramfs.Config) {
		c.UKI = &initramfs.UKI{Stub: stub, Kernel: k.Image, CommandLine: "console=ttyS0 " + seedLine}
	})
	path = filepath.Join(filepath.Dir(img.path), "uki.efi") // by HTTP, firmware takes a name in .img for a disk
	if err := os.Rename(img.path, path); err != nil {
		r.t.Fatal(err)
	}
	return path
}

// efi is a machine with OVMF.
func efi(args ...string) lab.MachineConfig {
	return lab.MachineConfig{UEFI: true, NICs: []lab.NIC{{}}, Args: args}
}

// OVMF loads a unified kernel image by TFTP.
func ukiByTFTP(t *testing.T, r *rig) {
	r.makeDisk(images.Filesystem{Type: "ext3", MiB: 32, Tree: root("")})
	r.gotgt()
	s, uki := &bootServer{rig: r}, r.uki()
	s.dnsmasqWith("--dhcp-range=10.77.0.50,10.77.0.60", "--enable-tftp", "--tftp-root="+filepath.Dir(uki), "--dhcp-boot=uki.efi")
	m := s.powerOn(efi())
	r.expect(m, "Start PXE over IPv4", "efi: EFI v", "guest: mount: /dev/sda2 / ext3 ro,")
	r.waitOff(m)
}

// OVMF loads it by HTTP. Such a client requires the vendor class HTTPClient in the DHCP offer (UEFI
// 2.10, 24.7.3.1).
func ukiByHTTP(t *testing.T, r *rig) {
	r.makeDisk(images.Filesystem{Type: "ext3", MiB: 32, Tree: root("")})
	r.gotgt()
	s, uki := &bootServer{rig: r}, r.uki()
	h := s.httpFrom(filepath.Dir(uki))
	s.dnsmasqWith("--dhcp-range=10.77.0.50,10.77.0.60", "--dhcp-option-force=60,HTTPClient", "--dhcp-boot=http://10.77.0.1/uki.efi")
	m := s.powerOn(efi("-fw_cfg", "name=opt/org.tianocore/IPv4PXESupport,string=n", "-fw_cfg", "name=opt/org.tianocore/IPv6PXESupport,string=n"))
	r.expect(m, "Start HTTP Boot over IPv4", "efi: EFI v", "guest: mount: /dev/sda2 / ext3 ro,")
	r.waitOff(m)
	if want := "GET /uki.efi 200\n"; !strings.Contains(h.Log(), want) {
		t.Errorf("no %q in\n%s", want, h.Log())
	}
}

// GRUB, loaded by OVMF by TFTP, reads the file that pxe wrote for the machine's MAC.
func grubByTFTP(t *testing.T, r *rig) {
	r.makeDisk(images.Filesystem{Type: "ext3", MiB: 32, Tree: root("")})
	r.gotgt()
	s := r.newBootServer(hostsHead+"loader: grub\n"+hostsBody, virtio, "grubx64.efi")
	s.serve()
	m := s.powerOn(efi())
	r.expect(m, "Start PXE over IPv4", "efi: EFI v", "BOOTIF=01-52-54-00-77-00-01", "guest: mount: /dev/sda2 / ext3 ro,")
	r.waitOff(m)
}
