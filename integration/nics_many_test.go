package integration

import (
	"net/netip"
	"os"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/ibft"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
)

// target2 is the name of the target on the second network.
const target2 = "iqn.2007-01.com.example:storage.remote2"

// secondNetwork adds a tap with a target of its own, whose disk has no root.
func (r *rig) secondNetwork() *lab.Tap {
	tap := r.addTap("tap1", "10.78.0.1/24")
	r.startTgtd(targets.Config{Name: target2, Portal: netip.MustParseAddrPort("10.78.0.1:3260"), LUNs: map[int]string{1: blank(r.t, 4)}})
	return tap
}

// twoServers serves DHCP on both networks, with a delay of a second on tap0.
func (r *rig) twoServers(args ...string) {
	r.dnsmasq(append(args, "--interface=tap0", "--interface=tap1", "--dhcp-range=10.77.0.50,10.77.0.50,255.255.255.0,1h",
		"--dhcp-range=10.78.0.50,10.78.0.50,255.255.255.0,1h", "--dhcp-reply-delay=tag:tap0,1")...)
}

// A static address without the name of a NIC: the first NIC has a link to a network without the
// target. The second NIC gets the address, because the target answers there, even if the first had
// the address before, when it was the only one with a link.
func TestStaticAddressNICSelection(t *testing.T) {
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 32, Tree: root("network")})
	r.gotgt()
	dead := r.addTap("dead0")
	err := r.ns.Do(func() error { // by default the kernel answers ARP for an address on every link
		return os.WriteFile("/proc/sys/net/ipv4/conf/dead0/arp_ignore", []byte("8"), 0)
	})
	if err != nil {
		t.Fatal(err)
	}
	m := r.bootWith(virtio, console+seedLine, lab.NIC{Tap: dead}, lab.NIC{Tap: r.tap})
	r.expect(m, "iscsiroot: network: ens3 is up with 10.77.0.2/24\n", "guest: mount: /dev/sda2 / ext4 ro,")
	r.waitOff(m)
	r.checkShown(m, "guest: link: ens3 up 10.77.0.2/24")
	r.checkNotShown(m, "guest: link: ens2 up")
}

// Of two DHCP servers, each for one NIC, only one sends a root path. Root's NIC stays up, and the
// other is left unchanged.
func TestRootPathOnOneOfTwoNICs(t *testing.T) {
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 32, Tree: root("network")})
	r.gotgt()
	first := r.addTap("tap1", "10.78.0.1/24")
	server := r.dnsmasq("--interface=tap1", "--dhcp-range=10.78.0.50,10.78.0.50,255.255.255.0,1h", "--dhcp-option=option:dns-server,10.78.0.53")
	m := r.bootWith(virtio, console+"root=dhcp", lab.NIC{Tap: first}, lab.NIC{Tap: r.tap})
	r.expect(m, "iscsiroot: network: ens2 is up with 10.78.0.50/24 from 10.78.0.1", "iscsiroot: network: ens2: no root path from 10.78.0.1: waiting for ens3")
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	r.dnsmasq("--interface=tap0", "--dhcp-range=10.77.0.50,10.77.0.50,255.255.255.0,1h", "--dhcp-option=option:dns-server,10.77.0.53",
		"--dhcp-option=option:root-path,iscsi:10.77.0.1::3260:0:"+targetName, "--dhcp-option=203,"+initiator)
	r.expect(m, "iscsiroot: network: ens3 is up with 10.77.0.50/24 from 10.77.0.1", "guest: mount: /dev/sda2 / ext4 ro,")
	r.waitOff(m)
	r.checkShown(m, "guest: link: ens3 up 10.77.0.50/24", "guest: file: net-ens3.conf: IPV4DNS0='10.77.0.53'", "guest: file: open-iscsi.interface: ens3")
	r.checkNotShown(m, "guest: link: ens2 up", "guest: file: net-ens2.conf", "guest: file: lease-ens2")
}

// Targets on two networks without a parameter for NICs: each login uses the NIC of its network, and
// both NICs stay up, with that of root first.
func TestTargetsOnTwoNetworks(t *testing.T) {
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 32, Tree: root("network")})
	r.startTgtd(targets.Config{})
	second := r.secondNetwork()
	r.twoServers("--dhcp-option=option:router") // no router: the other network is not reachable through it
	m := r.bootWith(virtio, console+"rd.neednet=1 iscsi_i="+initiator+" netroot=iscsi:10.78.0.1:::1:"+target2+" netroot=iscsi:10.77.0.1:::1:"+targetName+
		" root=/dev/sdb2", lab.NIC{Tap: second}, lab.NIC{Tap: r.tap})
	r.expect(m, "guest: mount: /dev/sdb2 / ext4 ro,")
	r.waitOff(m)
	r.checkShown(m, "login to "+target2+" at 10.78.0.1:3260", "login to "+targetName+" at 10.77.0.1:3260", // in parallel
		"guest: link: ens2 up 10.78.0.50/24", "guest: link: ens3 up 10.77.0.50/24", "guest: file: net-ens2.conf: PROTO='dhcp'",
		"guest: file: net-ens3.conf: PROTO='dhcp'", "guest: file: open-iscsi.interface: ens3")
}

// The iBFT has two NICs, and a target for each.
func TestIBFTOfTwoNICs(t *testing.T) {
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 32, Tree: root("network")})
	r.startTgtd(targets.Config{})
	second := r.secondNetwork()
	r.dnsmasq("--interface=tap1", "--dhcp-range=10.78.0.50,10.78.0.50,255.255.255.0,1h")
	m := r.start(virtio, lab.MachineConfig{
		Append: console + "rd.iscsi.ibft root=/dev/sda2 ro",
		NICs:   []lab.NIC{{Tap: second, MAC: "52:54:00:77:00:02"}, {Tap: r.tap, MAC: "52:54:00:77:00:01"}},
		Args: r.bootTable(func(t *ibft.Table) {
			t.NICs = append(t.NICs, ibft.NIC{
				Flags: ibft.Valid | ibft.BootSelected, Index: 1, PrefixLen: 24, Origin: ibft.OriginDHCP,
				DHCP: netip.MustParseAddr("10.78.0.1"), MAC: [6]byte{0x52, 0x54, 0, 0x77, 0, 2},
			})
			t.Targets = append(t.Targets, ibft.Target{
				Flags: ibft.Valid | ibft.BootSelected, Index: 1, NIC: 1, Name: target2, Portal: netip.MustParseAddrPort("10.78.0.1:3260"), LUN: iscsi.MakeLUN(1),
			})
		}),
	})
	r.expect(m, "guest: mount: /dev/sda2 / ext4 ro,")
	r.waitOff(m)
	r.checkShown(m, "login to "+targetName+" at 10.77.0.1:3260", "login to "+target2+" at 10.78.0.1:3260",
		"guest: link: ens3 up 10.77.0.2/24", "guest: link: ens2 up 10.78.0.50/24")
}
