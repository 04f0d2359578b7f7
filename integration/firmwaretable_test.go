package integration

import (
	"net/netip"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/ibft"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
)

// bootTable returns QEMU's arguments for an iBFT in an ACPI table, as the firmware of a machine
// with one NIC leaves it; change edits the table.
func (r *rig) bootTable(change func(*ibft.Table)) []string {
	t := ibft.Table{
		OEM: "LAB", Model: "BOOT",
		Initiator: ibft.Initiator{Flags: ibft.Valid, Name: initiator},
		NICs: []ibft.NIC{{
			Flags: ibft.Valid | ibft.BootSelected, Address: netip.MustParseAddr("10.77.0.2"), PrefixLen: 24, Origin: ibft.OriginManual,
			MAC: [6]byte{0x52, 0x54, 0, 0x77, 0, 1},
		}},
		Targets: []ibft.Target{{
			Flags: ibft.Valid | ibft.BootSelected, Name: targetName, Portal: netip.MustParseAddrPort("10.77.0.1:3260"), LUN: iscsi.MakeLUN(1),
		}},
	}
	change(&t)
	return []string{"-acpitable", "file=" + r.writeFile("ibft", encode(r.t.T, t)) + "/ibft"}
}

// The command line names the target, whose access list has the initiator name, which only the iBFT
// has. A second target in the table is invalid; the rest of the table is used.
func TestIBFTNamesTheInitiator(t *testing.T) {
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 32, Tree: root("")})
	r.startTgtd(targets.Config{Initiators: []string{initiator}})
	r.dnsmasq("--interface=tap0", "--dhcp-range=10.77.0.2,10.77.0.2,255.255.255.0,1h")
	m := r.start(virtio, lab.MachineConfig{
		Append: "console=ttyS0 root=/dev/sda2 ro netroot=iscsi:10.77.0.1:::1:" + targetName + " rd.iscsi.param=node.session.timeo.replacement_timeout=6000",
		NICs:   []lab.NIC{{Tap: r.tap}},
		Args: r.bootTable(func(t *ibft.Table) {
			t.NICs[0].Origin, t.NICs[0].DHCP = ibft.OriginDHCP, netip.MustParseAddr("10.77.0.1")
			t.Targets = append(t.Targets, ibft.Target{Flags: ibft.Valid, Index: 1, Name: "iqn.2007-01.com.example:storage.remote2"})
		}),
	})
	r.expect(m, "iscsiroot: network: ens2 is up with 10.77.0.2/24 from 10.77.0.1", "login to "+targetName+" at 10.77.0.1:3260: session ", "guest: mount: /dev/sda2 / ext4 ro,")
	r.waitOff(m)
	r.checkShown(m, "guest: session: initiatorname="+initiator, "no address of target iqn.2007-01.com.example:storage.remote2")
}

// The iBFT configures the first NIC, and ip= the second one with an address, a name server and a
// host name: both are up, and all values are in the hand-over files.
func TestIBFTAndASecondNIC(t *testing.T) {
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 32, Tree: root("network")})
	r.startTgtd(targets.Config{Initiators: []string{initiator}})
	second := r.addTap("tap1", "10.10.10.1/24")
	m := r.start(virtio, lab.MachineConfig{
		Append: "console=ttyS0 rd.iscsi.firmware=1 ip=ens2:ibft ip=10.10.10.10:::255.255.255.0:myhostname:ens3:none:10.10.10.53 root=/dev/sda2 ro",
		NICs:   []lab.NIC{{Tap: r.tap}, {Tap: second}},
		Args:   r.bootTable(func(*ibft.Table) {}),
	})
	r.expect(m, "login to "+targetName+" at 10.77.0.1:3260: session ", "guest: mount: /dev/sda2 / ext4 ro,")
	r.waitOff(m)
	r.checkShown(m, "iscsiroot: network: ens2 is up with 10.77.0.2/24\n", "iscsiroot: network: ens3 is up with 10.10.10.10/24\n",
		"guest: link: ens2 up 10.77.0.2/24", "guest: link: ens3 up 10.10.10.10/24", "guest: host name: myhostname",
		"guest: file: net-ens3.conf: IPV4DNS0='10.10.10.53'", "guest: file: net-ens3.conf: HOSTNAME='myhostname'",
		"guest: session: initiatorname="+initiator)
}
