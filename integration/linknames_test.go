package integration

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
)

// sanLink is a .link file that names the first NIC.
var sanLink = sync.OnceValues(func() (string, error) {
	name := filepath.Join(built.dir, "10-san.link")
	text := "[Match]\nMACAddress=52:54:00:77:00:01\nType=ether\nDriver=virtio_net\nPath=pci-0000:00:02.0\n\n[Link]\nName=san0\nMTUBytes=9000\n"
	return name, os.WriteFile(name, []byte(text), 0o600)
})

// named is an image with the .link file.
func named(t *testing.T, kernel string) image {
	t.Helper()
	file, err := sanLink()
	if err != nil {
		t.Fatal(err)
	}
	return image{kernel: kernel, nics: "virtio_net", file: file + ":/etc/systemd/network/10-san.link"}
}

// bootWithLinkFile boots with ip= for the NIC that a .link file names. The other NIC has udev's
// name.
func bootWithLinkFile(t *testing.T, kernel, words string, before func(*rig, *lab.Machine)) {
	t.Helper()
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 32, Tree: root("net")})
	r.gotgt()
	other := r.addTap("tap1")
	r.dnsmasq("--interface=tap0", "--dhcp-range=10.77.0.50,10.77.0.50,255.255.255.0,1h")
	m := r.bootWith(named(t, kernel), console+words+"ip=san0:dhcp iscsi_i="+initiator+" iscsi_t="+targetName+" iscsi_a=10.77.0.1",
		lab.NIC{Tap: r.tap}, lab.NIC{Tap: other})
	before(r, m)
	r.expect(m, "iscsiroot: network: san0 is up with 10.77.0.50/24 from 10.77.0.1", "guest: mount: /dev/sda2 / ext4 ro,")
	r.waitOff(m)
	r.checkShown(m, "guest: net: san0 mtu 1500 10.77.0.50/24", "guest: net: ens3 mtu 1500", "iscsiroot: network: /etc/systemd/network/10-san.link: [Link] MTUBytes= is ignored in the initramfs")
}

// A .link file names the NIC of ip=, also if name_assign_type of the other one cannot be read, as
// before Linux 5.19; here a mount over the file makes reads fail.
func TestLinkFileNamesNIC(t *testing.T) {
	bootWithLinkFile(t, "", "rd.break=network ", func(r *rig, m *lab.Machine) {
		r.expect(m, "break before step network", prompt)
		r.runLines(m, shellLine{"modprobe virtio_net; modprobe virtio_pci", nil}, shellLine{"mount -B /proc/1/mem /sys/class/net/eth1/name_assign_type; cat /sys/class/net/eth1/name_assign_type", []string{"input/output error"}})
		r.send(m, "exit\n", "continuing with step network")
	})
}
