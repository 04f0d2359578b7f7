package integration

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
)

// MAAS's parameters for the NIC, open-iscsi's settings for a root disk and an adapter's root path:
// DHCP uses the NIC of BOOTIF=, which is the second, the server's root path has the protocol by
// name, and the kernel neither pings nor fails I/O.
func TestBootifPingsOffProtocolByName(t *testing.T) {
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 32, Tree: root("network")})
	r.tgtd()
	other := r.addTap("tap1", "10.78.0.1/24")
	r.dnsmasq("--interface=tap0", "--interface=tap1", "--dhcp-range=10.77.0.50,10.77.0.50,255.255.255.0,1h", "--dhcp-range=10.78.0.50,10.78.0.50,255.255.255.0,1h",
		"--dhcp-option=option:root-path,iscsi:10.77.0.1:tcp:3260:1:"+targetName)
	m := r.bootWith(virtio, "console=ttyS0 ip=::::node1:BOOTIF:dhcp BOOTIF=01-52:54:00:77:00:01 netroot=dhcp root=/dev/sda2 iscsi_i="+initiator+
		" rd.iscsi.param=node.conn[0].timeo.noop_out_interval=0 rd.iscsi.param=node.conn[0].timeo.noop_out_timeout=0"+
		" rd.iscsi.param=node.session.timeo.replacement_timeout=-1",
		lab.NIC{Tap: other, MAC: "52:54:00:77:00:02"}, lab.NIC{Tap: r.tap, MAC: "52:54:00:77:00:01"})
	r.expect(m, "iscsiroot: network: ens3 is up with 10.77.0.50/24 from 10.77.0.1", "guest: mount: /dev/sda2 / ext4 ro,")
	r.waitOff(m)
	r.checkShown(m, "guest: host name: node1", "guest: session: ping_tmo=0", "guest: session: recv_tmo=0", "guest: session: recovery_tmo=off")
	if strings.Contains(m.Output(), "guest: link: ens2 up") {
		t.Error("the first NIC is up")
	}
}

// A network of two addresses, as PXELINUX's IPAPPEND writes it: the second field is the boot
// server, and the target is behind the router.
func TestNetworkOfTwoAddresses(t *testing.T) {
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 32, Tree: root("network")})
	r.addAddress("lo", "192.0.2.1/32")
	r.startTgtd(targets.Config{Portal: netip.MustParseAddrPort("192.0.2.1:3260")})
	wire := r.addTap("tap1", "10.99.0.2/31")
	m := r.bootWith(virtio, "console=ttyS0 ip=10.99.0.3:203.0.113.3:10.99.0.2:255.255.255.254 BOOTIF=01-52-54-00-77-00-01 rd.iscsi.initiator="+initiator+
		" netroot=iscsi:192.0.2.1::::"+targetName, lab.NIC{Tap: wire, MAC: "52:54:00:77:00:01"})
	r.expect(m, "iscsiroot: network: ens2 is up with 10.99.0.3/31", "guest: mount: /dev/sda2 / ext4 ro,")
	r.waitOff(m)
	r.checkShown(m, "guest: link: ens2 up 10.99.0.3/31")
}
