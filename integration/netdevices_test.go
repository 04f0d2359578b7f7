package integration

import (
	"net/netip"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
)

// allNetDevices is an image with the modules for VLANs, bonds and bridges.
var allNetDevices = image{net: "vlan,bond,bridge", nics: "virtio_net"}

// A tagged VLAN at a switch's port, with frames of 9000 bytes: ip= sets the MTU of the VLAN, and
// the NIC below gets an MTU that fits.
func TestVLAN(t *testing.T) {
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 96, Tree: root("net " + write())})
	wire, err := r.ns.AddWire("wire0", 5, 9000, netip.MustParsePrefix("10.78.0.1/24"))
	if err != nil {
		t.Fatal(err)
	}
	c := r.targetConfig()
	c.Portal = netip.MustParseAddrPort("10.78.0.1:3260")
	if _, err := targets.StartGotgt(r.ctx, r.ns, c); err != nil {
		t.Fatal(err)
	}
	m := r.start(allNetDevices, lab.MachineConfig{
		Append: "console=ttyS0 iscsi_i=" + initiator + " iscsi_t=" + targetName + " iscsi_a=10.78.0.1 rw root=/dev/sda2" +
			" ip=10.78.0.2:::24::vlan0005:none:9000 vlan=vlan0005:ens2",
		Args: wire.Args("wire0", "virtio-net-pci", "52:54:00:77:00:01"),
	})
	r.expect(m, "iscsiroot: network: vlan0005 is up with 10.78.0.2/24", "guest: mount: /dev/sda2 / ext4 rw,")
	r.waitOff(m)
	r.checkShown(m, "guest: net: ens2 mtu 9000", "guest: net: vlan0005 mtu 9000 10.78.0.2/24", " vlan 5\n")
	if got := wire.Largest(); got != 9000+14+4 {
		t.Errorf("the longest frame of the machine has %d bytes", got)
	}
}

// A bond's first port has no link: the boot uses the second. The names of the ports are those of
// udev.
func TestBond(t *testing.T) {
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 32, Tree: root("net")})
	r.gotgt()
	dead, err := r.ns.AddTap("dead0")
	if err != nil {
		t.Fatal(err)
	}
	m := r.bootWith(allNetDevices, console+seedLine+" rd.break=modules bond=bond0:ens2,ens3:mode=active-backup,primary=ens2", lab.NIC{Tap: dead}, lab.NIC{Tap: r.tap})
	r.unplug(m)
	r.expect(m, "iscsiroot: network: bond0 is up with 10.77.0.2/24", "guest: mount: /dev/sda2 / ext4 ro,")
	r.waitOff(m)
	r.checkShown(m, "guest: net: ens2 mtu 1500 part of bond0 carrier 0", "guest: net: ens3 mtu 1500 part of bond0 carrier 1",
		"guest: net: bond0 mtu 1500 10.77.0.2/24", " mode active-backup 1 active_slave ens3 miimon 100 carrier 1")
}

// A bridge on a NIC that is named by ifname=; parameters of a VLAN on a NIC that does not exist are
// ignored.
func TestBridgeAndName(t *testing.T) {
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 32, Tree: root("net")})
	r.gotgt()
	m := r.bootWith(allNetDevices, console+seedLine+" iscsi_if=br0 bridge=br0:storage0 ifname=storage0:52:54:00:77:00:01 vlan=vlan7:eth7 rd.route=10.99.0.0/16:10.77.0.1", lab.NIC{Tap: r.tap})
	r.expect(m, "iscsiroot: network: br0 is up with 10.77.0.2/24", "guest: mount: /dev/sda2 / ext4 ro,")
	r.waitOff(m)
	r.checkShown(m, "guest: net: storage0 mtu 1500 ", " part of br0 carrier 1", "guest: net: br0 mtu 1500 10.77.0.2/24 fe80::5054:ff:fe77:1/64 carrier 1", "guest: route: br0\t0000630A\t01004D0A")
}
