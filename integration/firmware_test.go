package integration

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
)

// firmwarePaths are the boot paths from power-on to /init. Each row has one of PXELINUX, one of
// iPXE and one of UEFI.
var firmwarePaths = [][]struct {
	name string
	boot func(*testing.T, *rig)
}{
	{{"PXELINUX", pxelinux}, {"iPXE", ipxe}, {"UKIByTFTP", ukiByTFTP}},
	{{"PXELINUXDefault", pxelinuxDefault}, {"Sanhook", sanhook}, {"UKIByHTTP", ukiByHTTP}},
	{{"IPAPPEND", ipappend}, {"Sanboot", sanboot}, {"GRUB", grubByTFTP}},
}

// A machine boots from power-on, by firmware and third-party boot loaders.
func TestFirmwareMatrix(t *testing.T) {
	t.Parallel()
	for _, row := range rows(t, len(firmwarePaths)) {
		for _, path := range firmwarePaths[row] {
			t.Run(path.name, func(t *testing.T) { path.boot(t, newRig(t)) })
		}
	}
}

// From power-on by SeaBIOS, the card's ROM and PXELINUX: PXELINUX reads the file that pxe wrote for
// the machine's MAC, and the secret is in an image for this machine alone.
func pxelinux(t *testing.T, r *rig) {
	r.makeDisk(images.Filesystem{Type: "ext3", MiB: 32, Tree: root("")})
	c := r.targetConfig()
	c.LUNs = map[int]string{1: r.disk.Path}
	c.CHAP = targets.CHAP{User: "remote1", Secret: "open-sesame-12"}
	if _, err := targets.StartTgtd(r.ctx, r.ns, c); err != nil {
		t.Fatal(err)
	}
	s := r.newBootServer(hostsHead+hostsBody+"    chap: secrets\n", e1000, "pxelinux.0", "ldlinux.c32")
	// As root dnsmasq serves only files that are readable for all; the secret is readable for
	// its user alone.
	s.serve("--user=nobody")
	m := s.powerOn(pc("e1000"))
	r.expect(m, "PXELINUX 6", "iscsiroot: network: ens2 is up with 10.77.0.2/24", "guest: mount: /dev/sda2 / ext3 ro,")
	r.waitOff(m)
	r.checkShown(m, "BOOTIF=01-52-54-00-77-00-01")
	r.checkNotShown(m, "open-sesame-12")
}

// A machine without a file of its own gets pxelinux.cfg/default, which prompts for the name of a
// machine.
func pxelinuxDefault(t *testing.T, r *rig) {
	r.makeDisk(images.Filesystem{Type: "ext3", MiB: 32, Tree: root("")})
	r.gotgt()
	s := r.newBootServer(hostsHead+hostsBody, virtio, "pxelinux.0", "ldlinux.c32")
	s.serve("--dhcp-range=10.77.0.50,10.77.0.60")
	c := pc("virtio-net-pci")
	c.NICs[0].MAC = "52:54:00:77:00:99"
	m := s.powerOn(c)
	r.expect(m, "unknown machine: no file for its MAC address: remote1", "boot:")
	if err := m.Send("remote1\r"); err != nil {
		t.Fatal(err)
	}
	r.expect(m, "BOOTIF=01-52-54-00-77-00-99", "guest: mount: /dev/sda2 / ext3 ro,")
	r.waitOff(m)
}

// IPAPPEND 3 in a file written by hand: PXELINUX passes the address of DHCP in ip= with four
// fields.
func ipappend(t *testing.T, r *rig) {
	r.makeDisk(images.Filesystem{Type: "ext3", MiB: 32, Tree: root("")})
	r.gotgt()
	s := r.newBootServer(hostsHead+hostsBody, virtio, "pxelinux.0", "ldlinux.c32")
	s.write("pxelinux.cfg/01-52-54-00-77-00-01", "DEFAULT remote1\nLABEL remote1\n   KERNEL vmlinuz\n   APPEND initrd=initrd.img console=ttyS0"+
		" iscsi_i="+initiator+" iscsi_t="+targetName+" iscsi_a=10.77.0.1\n   IPAPPEND 3\n")
	s.serve()
	m := s.powerOn(pc("virtio-net-pci"))
	r.expect(m, "ip=10.77.0.2:10.77.0.1:10.77.0.1:255.255.255.0 BOOTIF=01-52-54-00-77-00-01", "is up with 10.77.0.2/24", "guest: mount: /dev/sda2 / ext3 ro,")
	r.waitOff(m)
}

// httpHead is the head of a hosts file for iPXE, which loads by HTTP.
const httpHead = hostsHead + "http: http://10.77.0.1\nloader: ipxe\n"

// A NIC with iPXE in its ROM loads its script, kernel and image by HTTP.
func ipxe(t *testing.T, r *rig) {
	r.makeDisk(images.Filesystem{Type: "ext3", MiB: 32, Tree: root("")})
	r.gotgt()
	s := r.newBootServer(httpHead+hostsBody, virtio)
	h := s.httpFrom(s.tree())
	s.serve()
	m := s.powerOn(pc("virtio-net-pci"))
	r.expect(m, "iPXE", "BOOTIF=01-52-54-00-77-00-01", "guest: mount: /dev/sda2 / ext3 ro,")
	r.waitOff(m)
	for _, name := range []string{"/vmlinuz", "/initrd.img"} {
		if !strings.Contains(h.Log(), "GET "+name+" 200\n") {
			t.Errorf("%s was not requested:\n%s", name, h.Log())
		}
	}
}

// iPXE logs in first and leaves the session's description, the iBFT, in memory.
func sanhook(t *testing.T, r *rig) {
	r.makeDisk(images.Filesystem{Type: "ext3", MiB: 32, Tree: root("")})
	r.gotgt()
	s := r.newBootServer(httpHead+hostsBody, virtio)
	s.httpFrom(s.tree())
	s.serve("--dhcp-boot=tag:ipxe,http://10.77.0.1/ipxe/52-54-00-77-00-01-sanhook.ipxe")
	m := s.powerOn(pc("virtio-net-pci"))
	r.expect(m, "Registered SAN device 0x80", "iBFT found at", "guest: mount: /dev/sda2 / ext3 ro,")
	r.waitOff(m)
}

// iPXE boots from the LUN, which holds SYSLINUX, kernel and image.
func sanboot(t *testing.T, r *rig) {
	k, err := virtio.find()
	if err != nil {
		t.Fatal(err)
	}
	img := virtio
	img.packed = true
	boot := images.Filesystem{Type: "vfat", MiB: 40, Tree: images.Tree{
		"vmlinuz": images.Copy(k.Image), "initrd.img": images.Copy(img.build(t)),
		"syslinux.cfg": images.Text("DEFAULT linux\nLABEL linux\n   KERNEL vmlinuz\n   APPEND initrd=initrd.img console=ttyS0 " + seedLine + "\n"),
	}}
	r.disk, err = images.WriteDisk(filepath.Join(t.TempDir(), "disk.img"), boot, images.Filesystem{Type: "ext3", MiB: 32, Tree: root("")})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.disk.InstallSyslinux(); err != nil {
		t.Fatal(err)
	}
	r.gotgt()
	s := &bootServer{rig: r}
	s.dnsmasqWith("--dhcp-range=10.77.0.2,10.77.0.2", "--dhcp-option=option:root-path,iscsi:10.77.0.1::::"+targetName)
	m := s.powerOn(pc("virtio-net-pci"))
	r.expect(m, "Booting from SAN device 0x80", "SYSLINUX", "iBFT found at", "guest: mount: /dev/sda2 / ext3 ro,")
	r.waitOff(m)
}
