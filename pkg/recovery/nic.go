package recovery

import (
	"errors"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

// kernelNIC is the kernel's interfaces by rtnetlink.
type kernelNIC struct{}

// find implements nic: by number, and if that is another's now, by MAC.
func (kernelNIC) find(u Uplink) (link, bool) {
	if l, err := netlink.LinkByIndex(u.Index); err == nil && l.Attrs().HardwareAddr.String() == u.MAC {
		return toLink(l), true
	}
	all, err := netlink.LinkList()
	if err != nil {
		return link{}, false
	}
	for _, l := range all {
		if l.Attrs().HardwareAddr.String() == u.MAC {
			return toLink(l), true
		}
	}
	return link{}, false
}

func toLink(l netlink.Link) link {
	a := l.Attrs()
	return link{index: a.Index, name: a.Name, up: a.RawFlags&unix.IFF_UP != 0}
}

func family(v6 bool) int {
	if v6 {
		return unix.AF_INET6
	}
	return unix.AF_INET
}

// byIndex names a link to the netlink package.
func byIndex(index int) netlink.Link {
	return &netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: index}}
}

// addresses implements nic.
func (kernelNIC) addresses(index int, v6 bool) ([]owned, error) {
	list, err := netlink.AddrList(byIndex(index), family(v6))
	if err != nil {
		return nil, err
	}
	var out []owned
	for _, a := range list {
		ip, ok := netip.AddrFromSlice(a.IP)
		if !ok {
			continue
		}
		bits, _ := a.Mask.Size()
		out = append(out, owned{netip.PrefixFrom(ip.Unmap(), bits), dhcp.Seconds(uint32(a.ValidLft))})
	}
	return out, nil
}

// setUp implements nic.
func (kernelNIC) setUp(index int) error { return netlink.LinkSetUp(byIndex(index)) }

// addAddress implements nic.
func (kernelNIC) addAddress(index int, p netip.Prefix) error {
	a := &netlink.Addr{IPNet: toIPNet(p)}
	if p.Addr().Is6() {
		a.Flags = unix.IFA_F_NODAD // it was ours a moment ago
	}
	return netlink.AddrReplace(byIndex(index), a)
}

// hasRoute implements nic.
func (kernelNIC) hasRoute(to netip.Prefix) bool {
	list, err := netlink.RouteListFiltered(family(to.Addr().Is6()), &netlink.Route{Dst: toIPNet(to)}, netlink.RT_FILTER_DST)
	return err != nil || len(list) > 0 // what cannot be seen is not put back
}

// addRoute implements nic.
func (kernelNIC) addRoute(index int, r dhcp.Route) error {
	route := &netlink.Route{LinkIndex: index, Dst: toIPNet(r.To)}
	if r.Via.IsValid() {
		route.Gw = r.Via.AsSlice()
		route.Flags = int(netlink.FLAG_ONLINK)
	} else {
		route.Scope = netlink.SCOPE_LINK
	}
	return netlink.RouteReplace(route)
}

// askAgain implements nic. A neighbour that the kernel is asking for is put back
// to where no request was sent yet, which keeps what waits for it, and is used
// (net/core/neighbour.c: __neigh_update, neigh_event_send).
func (kernelNIC) askAgain(index int) error {
	list, err := netlink.NeighList(index, netlink.FAMILY_ALL)
	if err != nil {
		return err
	}
	for _, n := range list {
		if n.State&netlink.NUD_INCOMPLETE == 0 {
			continue
		}
		fresh := netlink.Neigh{LinkIndex: index, Family: n.Family, IP: n.IP, State: netlink.NUD_NONE}
		use := fresh
		use.Flags = netlink.NTF_USE
		if err := errors.Join(netlink.NeighSet(&fresh), netlink.NeighSet(&use)); err != nil {
			return err
		}
	}
	return nil
}

func toIPNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
