package network

import (
	"net"
	"os"
	"path/filepath"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// setUp sets a link up, and immediately adds the IPv6 address that the kernel would add when the
// carrier comes up. Joining that address's multicast group writes the card's receive filter, and
// what arrives right after that is lost on some cards: QEMU's e1000 receives nothing for a second
// (hw/net/e1000.c: set_rx_control), which would lose the first answer.
func setUp(link netlink.Link) error {
	if err := netlink.LinkSetUp(link); err != nil {
		return err
	}
	attrs := link.Attrs()
	if ip := linkLocal(attrs.HardwareAddr); ip != nil && generatesEUI64("/proc/sys/net/ipv6/conf", attrs.Name) {
		// If this fails, the kernel adds it later.
		addr := &netlink.Addr{IPNet: &net.IPNet{IP: ip, Mask: net.CIDRMask(64, 128)}}
		if optimistic(attrs.Name) {
			addr.Flags = unix.IFA_F_OPTIMISTIC
		}
		_ = netlink.AddrAdd(link, addr)
	}
	return nil
}

// optimistic allows a link's addresses to be used during duplicate address detection (RFC 4429),
// and reports whether the kernel supports that (CONFIG_IPV6_OPTIMISTIC_DAD).
func optimistic(name string) bool {
	for _, setting := range []string{"optimistic_dad", "use_optimistic"} {
		if os.WriteFile(filepath.Join("/proc/sys/net/ipv6/conf", name, setting), []byte("1"), 0) != nil {
			return false
		}
	}
	return true
}

// linkLocal returns the link-local address of an Ethernet address (RFC 4291 2.5.6 and appendix A),
// nil if there is none.
func linkLocal(mac net.HardwareAddr) net.IP {
	if len(mac) != 6 {
		return nil
	}
	return net.IP{
		0xfe, 0x80, 0, 0, 0, 0, 0, 0,
		mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5],
	}
}

// generatesEUI64 reports whether the kernel generates an interface's address in that way
// (include/uapi/linux/if_link.h: IN6_ADDR_GEN_MODE_EUI64). conf is the directory of the IPv6
// settings.
func generatesEUI64(conf, name string) bool {
	dir := filepath.Join(conf, name)
	return readAttr(dir, "addr_gen_mode") == "0" && readAttr(dir, "disable_ipv6") == "0"
}
