package uplink

import (
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// What stands for a NIC is its master, and the carrier of a connection is that of its device, or of
// the interface that has its source address.
func TestDeviceAndCarrier(t *testing.T) {
	w := ports(soft(5, "br0", "bridge", ourMAC))
	w.others = append(w.others, card(9, "eth1", otherMAC))
	w.addrs = []ifaceAddr{an("10.0.0.2/24", 5), an("10.1.0.2/24", 9)}
	k := newKeeper(faked{w}, &lines{}, []Uplink{testUplink()}, func() {})
	if got := k.Device("eth0"); got != "" {
		t.Errorf("before the first check eth0 is %q", got)
	}
	k.check()
	for nic, want := range map[string]string{"eth0": "br0", ourMAC: "br0", "eth1": "", otherMAC: ""} {
		if got := k.Device(nic); got != want {
			t.Errorf("%s is %q, want %q", nic, got, want)
		}
	}
	message := func(index int, name string, typ uint16, flags uint32) {
		k.link(netlink.LinkUpdate{Header: unix.NlMsghdr{Type: typ}, Link: &netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: index, Name: name, RawFlags: flags}}})
	}
	expect := func(when, dark string) {
		t.Helper()
		for name, way := range map[string]session.Way{
			"br0": {Source: netip.MustParseAddr("10.0.0.2")}, "eth1": {Device: "eth1", Source: netip.MustParseAddr("10.1.0.2")},
			"the kernel's choice": {}, "another": {Source: netip.MustParseAddr("10.9.9.9")},
		} {
			if k.Carrier(way) != (name != dark) {
				t.Errorf("%s: carrier of %s %v", when, name, k.Carrier(way))
			}
		}
	}
	expect("at first", "")
	message(9, "eth1", unix.RTM_NEWLINK, unix.IFF_UP)
	expect("eth1 lost", "eth1")
	message(9, "eth1", unix.RTM_NEWLINK, unix.IFF_UP|unix.IFF_LOWER_UP)
	message(5, "br0", unix.RTM_NEWLINK, unix.IFF_UP)
	expect("br0 lost", "br0")
	message(5, "br0", unix.RTM_NEWLINK, unix.IFF_UP|unix.IFF_LOWER_UP)
	message(9, "eth1", unix.RTM_DELLINK, unix.IFF_UP|unix.IFF_LOWER_UP)
	expect("eth1 removed", "eth1")
	message(12, "eth1", unix.RTM_NEWLINK, unix.IFF_UP|unix.IFF_LOWER_UP)
	expect("another eth1", "")
}
