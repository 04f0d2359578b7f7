package integration

import (
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
)

// target6 is the target's portal on an IPv6-only network.
var target6 = netip.MustParseAddrPort("[fd77::1]:3260")

// newPeerRig6 has a target on IPv6 alone.
func newPeerRig6(t *testing.T) peerRig {
	t.Helper()
	r := newPeerRig(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 32, Tree: root("network")})
	r.startTgtd(targets.Config{Portal: target6, LUNs: map[int]string{1: r.disk.Path}})
	return r
}

// root=dhcp alone: the address, the target, the initiator name and the host name all come from the
// DHCP server.
func TestRootDHCPAlone(t *testing.T) {
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 32, Tree: root("network")})
	r.gotgt()
	r.dnsmasq("--interface=tap0", "--dhcp-range=10.77.0.50,10.77.0.50,255.255.255.0,1h", "--dhcp-host=52:54:00:77:00:01,10.77.0.50,diskless",
		"--dhcp-option=option:root-path,iscsi:10.77.0.1::3260:0:"+targetName, "--dhcp-option=203,"+initiator,
		"--dhcp-option=option:router,10.77.0.1", "--dhcp-option=option:mtu,1400", "--domain=lab.example.com")
	m := r.boot(virtio, "", "console=ttyS0 root=dhcp")
	r.expect(m, "iscsiroot: network: ens2 is up with 10.77.0.50/24 from 10.77.0.1", "guest: mount: /dev/sda2 / ext4 ro,")
	r.waitOff(m)
	r.checkShown(m, "guest: host name: diskless", "guest: link: ens2 up 10.77.0.50/24", "guest: session: initiatorname="+initiator,
		"guest: file: net-ens2.conf: PROTO='dhcp'", "guest: file: net-ens2.conf: DNSDOMAIN='lab.example.com'",
		"guest: file: lease-ens2: lifetime=1h0m0s", "guest: file: lease-ens2: root-path=iscsi:10.77.0.1::3260:0:"+targetName,
		"guest: file: open-iscsi.interface: ens2")
}

// The first message is lost; of two servers the first rejects the request for its own offer, and
// then sends an invalid root path, which is ignored because iscsi_t= is given. These servers answer
// only to the client identifier 01:MAC, which iscsi_dhcp_id=mac sends.
func TestDHCPServerFaults(t *testing.T) {
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 32, Tree: root("network")})
	r.gotgt()
	var discovers, requests atomic.Int32
	junk := dhcpv4.Options{17: []byte("nfs\x00:\xff\n"), 12: []byte("a b;c"), 3: {10, 77}, 121: {99, 1}}
	r.dhcpScript(func(m *dhcpv4.DHCPv4) []*dhcpv4.DHCPv4 {
		if string(m.Options[61]) != "\x01\x52\x54\x00\x77\x00\x01" {
			return nil
		}
		switch m.MessageType() {
		case dhcpv4.MessageTypeDiscover:
			if discovers.Add(1) == 1 {
				return nil
			}
			return []*dhcpv4.DHCPv4{
				dhcpReply(m, dhcpv4.MessageTypeOffer, 1, 51, junk),
				dhcpReply(m, dhcpv4.MessageTypeOffer, 9, 61, nil),
			}
		case dhcpv4.MessageTypeRequest:
			if requests.Add(1) == 1 {
				return []*dhcpv4.DHCPv4{dhcpReply(m, dhcpv4.MessageTypeNak, 1, 0, nil)}
			}
			return []*dhcpv4.DHCPv4{dhcpReply(m, dhcpv4.MessageTypeAck, 1, 51, junk)}
		}
		return nil
	})
	m := r.boot(virtio, "", "console=ttyS0 ip=dhcp iscsi_dhcp_id=mac iscsi_i="+initiator+" iscsi_t="+targetName+" iscsi_a=10.77.0.1")
	r.expect(m, "iscsiroot: network: ens2: waiting for a DHCP server, request 2",
		"iscsiroot: network: ens2: offer from 10.77.0.1 ignored: the server refuses it",
		"iscsiroot: network: ens2 is up with 10.77.0.51/24 from 10.77.0.1",
		"iscsiroot: network: ens2: ignored: classless routes: ",
		"iscsiroot: DHCP option 17 from 10.77.0.1 is ignored: ",
		"guest: mount: /dev/sda2 / ext4 ro,")
	r.waitOff(m)
}

// An address from a router advertisement, and name servers from a stateless DHCPv6 server; the
// target has IPv6 alone.
func TestSLAAC(t *testing.T) {
	r := newPeerRig6(t)
	r.dnsmasq("--interface=br0", "--enable-ra", "--dhcp-range=fd77::,ra-stateless,64,1h", "--dhcp-option=option6:dns-server,[fd77::53]")
	m := r.boot(virtio, "", "console=ttyS0 ip=auto6 iscsi_i="+initiator+" iscsi_t="+targetName+" iscsi_a=[fd77::1]")
	r.expect(m, "iscsiroot: network: ens2 is up with fd77::5054:ff:fe77:1/64", "guest: mount: /dev/sda2 / ext4 ro,")
	r.waitOff(m)
	r.checkShown(m, "guest: file: net6-ens2.conf: IPV6ADDR='fd77::5054:ff:fe77:1'", "guest: file: net6-ens2.conf: IPV6DNS0='fd77::53'",
		"guest: file: lease6-ens2: method=dhcp6-info")
}

// A DHCPv6 server gives the address, if the router advertisement has the M flag.
func TestDHCPv6(t *testing.T) {
	r := newPeerRig6(t)
	r.dnsmasq("--interface=br0", "--enable-ra", "--dhcp-range=fd77::50,fd77::50,64,1h")
	m := r.boot(virtio, "", "console=ttyS0 ip=either6 iscsi_i="+initiator+" iscsi_t="+targetName+" iscsi_a=[fd77::1]")
	r.expect(m, "iscsiroot: network: ens2 is up with fd77::50/128 from fe80::", "guest: mount: /dev/sda2 / ext4 ro,")
	r.waitOff(m)
	r.checkShown(m, "guest: file: net6-ens2.conf: IPV6PROTO='dhcp6'", "guest: file: lease6-ens2: lifetime=1h0m0s")
}

// A target with a link-local address: the link is the zone after the %, or the only one.
func TestLinkLocalTarget(t *testing.T) {
	r := newPeerRig(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 32, Tree: root("network")})
	portal := netip.MustParseAddrPort("[fe80::77:1%br0]:3260")
	r.addAddress("br0", "fe80::77:1/64")
	r.startTgtd(targets.Config{Portal: portal, LUNs: map[int]string{1: r.disk.Path}})
	m := r.boot(virtio, "", "console=ttyS0 ip=link6 iscsi_i="+initiator+" iscsi_t="+targetName+" iscsi_a=[fe80::77:1%eth0]:3260")
	r.expect(m, "iscsiroot: network: eth0 is up with fe80::5054:ff:fe77:1/64", "guest: mount: /dev/sda2 / ext4 ro,")
	r.waitOff(m)
}

// Two NICs on two networks, a target on each. The second NIC gets its carrier when the search for
// root, which is behind it, has begun.
func TestTwoNetworks(t *testing.T) {
	const second = "iqn.2007-01.com.example:storage.remote2"
	r := newPeerRig(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 32, Tree: root("network")})
	tap1 := r.addTap("tap1", "10.78.0.1/24")
	r.startTgtd(targets.Config{LUNs: map[int]string{1: blank(t, 4)}})
	r.startTgtd(targets.Config{Name: second, Portal: netip.MustParseAddrPort("10.78.0.1:3260"), LUNs: map[int]string{1: r.disk.Path}})
	r.dnsmasq("--interface=tap1", "--dhcp-range=10.78.0.50,10.78.0.50,255.255.255.0,1h")
	m := r.bootWith(virtio, "console=ttyS0 rd.break=modules ip=10.77.0.2:::24::eth0:none ip=eth1:dhcp iscsi_i="+initiator+
		" iscsi_t="+targetName+" iscsi_a=10.77.0.1 iscsi_t.2="+second+" iscsi_a.2=10.78.0.1 root=/dev/sdb2",
		lab.NIC{Tap: r.tap}, lab.NIC{Tap: tap1})
	r.unplugNIC(m, 1)
	r.expect(m, "iscsiroot: network: eth0 is up with 10.77.0.2/24", "iscsiroot: login to "+targetName+" at 10.77.0.1:3260",
		"root /dev/sdb2: no such device on the disks of the iSCSI sessions: waiting for it")
	if err := m.SetLink(r.ctx, 1, true); err != nil {
		t.Fatal(err)
	}
	r.expect(m, "iscsiroot: network: eth1 is up with 10.78.0.50/24 from 10.78.0.1", "iscsiroot: login to "+second+" at 10.78.0.1:3260",
		"guest: mount: /dev/sdb2 / ext4 ro,")
	r.waitOff(m)
	r.checkShown(m, "guest: file: net-eth0.conf: PROTO='none'", "guest: file: net-eth1.conf: PROTO='dhcp'")
}

// BOOTIF= selects the second NIC, although the first could get an address too, and leaves the first
// unchanged.
func TestBootifSecondNIC(t *testing.T) {
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 32, Tree: root("network")})
	r.gotgt()
	first := r.addTap("tap1", "10.78.0.1/24")
	r.dnsmasq("--interface=tap0", "--interface=tap1", "--dhcp-range=10.77.0.50,10.77.0.50,255.255.255.0,1h", "--dhcp-range=10.78.0.50,10.78.0.50,255.255.255.0,1h")
	m := r.bootWith(virtio, "console=ttyS0 ip=dhcp BOOTIF=01-52-54-00-77-00-02 iscsi_i="+initiator+" iscsi_t="+targetName+" iscsi_a=10.77.0.1",
		lab.NIC{Tap: first}, lab.NIC{Tap: r.tap})
	r.expect(m, "iscsiroot: network: ens3 is up with 10.77.0.50/24 from 10.77.0.1", "guest: mount: /dev/sda2 / ext4 ro,")
	r.waitOff(m)
	if strings.Contains(m.Output(), "guest: link: ens2 up") {
		t.Error("the first NIC is up")
	}
}
