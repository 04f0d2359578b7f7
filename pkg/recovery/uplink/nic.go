package uplink

import (
	"errors"
	"fmt"
	"net/netip"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
	"github.com/iscsiroot/iscsiroot/pkg/network/rtwatch"
)

// kernelNIC implements nic by rtnetlink.
type kernelNIC struct{}

// link implements nic.
func (kernelNIC) link(index int) (link, bool) {
	if index <= 0 {
		return link{}, false
	}
	l, err := netlink.LinkByIndex(index)
	if err != nil {
		return link{}, false
	}
	return toLink(l), true
}

// links implements nic. A list that changed while it was sent is used too: the change is sent as a
// message.
func (kernelNIC) links() ([]link, error) {
	all, err := netlink.LinkList()
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return nil, err
	}
	var out []link
	for _, l := range all {
		out = append(out, toLink(l))
	}
	return out, nil
}

func toLink(l netlink.Link) link {
	a := l.Attrs()
	out := link{
		index: a.Index, name: a.Name, up: a.RawFlags&unix.IFF_UP != 0, kind: l.Type(),
		noCarrier: a.RawFlags&unix.IFF_LOWER_UP == 0,
		mac:       a.HardwareAddr.String(), permanent: a.PermHWAddr.String(), parent: a.ParentIndex, master: a.MasterIndex,
	}
	switch l := l.(type) {
	case *netlink.Device: // without IFLA_INFO_KIND
		out.kind = ""
	case *netlink.Vlan:
		out.vlan = l.VlanId
	case *netlink.Vrf:
		out.table = int(l.Table)
	}
	return out
}

func family(v6 bool) int {
	if v6 {
		return unix.AF_INET6
	}
	return unix.AF_INET
}

// byIndex identifies a link for the netlink package.
func byIndex(index int) netlink.Link {
	return &netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: index}}
}

// addresses implements nic.
func (kernelNIC) addresses(v6 bool) ([]ifaceAddr, error) {
	list, err := netlink.AddrList(nil, family(v6))
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return nil, err
	}
	var out []ifaceAddr
	for _, a := range list {
		ip, ok := netip.AddrFromSlice(a.IP)
		if !ok {
			continue
		}
		bits, _ := a.Mask.Size()
		out = append(out, ifaceAddr{netip.PrefixFrom(ip.Unmap(), bits), dhcp.Seconds(uint32(a.ValidLft)), a.LinkIndex})
	}
	return out, nil
}

// setUp implements nic.
func (kernelNIC) setUp(index int) error { return netlink.LinkSetUp(byIndex(index)) }

// addAddress implements nic.
func (kernelNIC) addAddress(index int, p netip.Prefix) error {
	a := &netlink.Addr{IPNet: rtwatch.IPNet(p)}
	if p.Addr().Is6() {
		a.Flags = unix.IFA_F_NODAD // the machine had it a moment ago
	}
	return netlink.AddrReplace(byIndex(index), a)
}

// removeAddress implements nic. A missing one is not an error. Other addresses of the same network
// stay: the kernel removes the secondary addresses with the primary one, unless promote_secondaries
// is set (net/ipv4/devinet.c: __inet_del_ifa).
func (kernelNIC) removeAddress(index int, p netip.Prefix) error {
	if p.Addr().Is4() {
		defer promoteSecondaries(index)()
	}
	err := netlink.AddrDel(byIndex(index), &netlink.Addr{IPNet: rtwatch.IPNet(p)})
	if errors.Is(err, unix.EADDRNOTAVAIL) {
		return nil
	}
	return err
}

// promoteSecondaries sets promote_secondaries of an interface, as systemd does by default, until
// the function that it returns is called.
func promoteSecondaries(index int) (undo func()) {
	l, err := netlink.LinkByIndex(index)
	if err != nil {
		return func() {}
	}
	path := "/proc/sys/net/ipv4/conf/" + l.Attrs().Name + "/promote_secondaries"
	was, err := os.ReadFile(path)
	if err != nil || os.WriteFile(path, []byte("1"), 0) != nil {
		return func() {}
	}
	return func() { _ = os.WriteFile(path, was, 0) }
}

// hasRoute implements nic.
func (kernelNIC) hasRoute(to netip.Prefix, table int) bool {
	filter := &netlink.Route{Dst: rtwatch.IPNet(to), Table: tableID(table)}
	list, err := netlink.RouteListFiltered(family(to.Addr().Is6()), filter, netlink.RT_FILTER_DST|netlink.RT_FILTER_TABLE)
	return err != nil || len(list) > 0 // what cannot be read is not restored
}

func tableID(table int) int {
	if table == 0 {
		return unix.RT_TABLE_MAIN
	}
	return table
}

// addRoute implements nic.
func (kernelNIC) addRoute(index int, r dhcp.Route, table int) error {
	return netlink.RouteReplace(toRoute(index, r, table))
}

// removeRoute implements nic. A missing one is not an error.
func (kernelNIC) removeRoute(index int, r dhcp.Route, table int) error {
	err := netlink.RouteDel(toRoute(index, r, table))
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	return err
}

func toRoute(index int, r dhcp.Route, table int) *netlink.Route {
	route := &netlink.Route{LinkIndex: index, Dst: rtwatch.IPNet(r.To), Table: tableID(table)}
	if r.Via.IsValid() {
		route.Gw = r.Via.AsSlice()
		route.Flags = int(netlink.FLAG_ONLINK)
	} else {
		route.Scope = netlink.SCOPE_LINK
	}
	return route
}

// moveRoutes implements nic, for the main table. A route that the other interface has already is
// removed, and one that cannot be moved does not prevent the others.
func (kernelNIC) moveRoutes(from, to int, v6 bool) error {
	filter := &netlink.Route{LinkIndex: from, Table: unix.RT_TABLE_MAIN}
	list, err := netlink.RouteListFiltered(family(v6), filter, netlink.RT_FILTER_OIF|netlink.RT_FILTER_TABLE)
	errs := []error{err}
	for _, r := range list {
		if r.Protocol == unix.RTPROT_KERNEL || r.Type != unix.RTN_UNICAST || len(r.MultiPath) > 0 {
			continue
		}
		if err := moveRoute(r, to); err != nil {
			errs = append(errs, fmt.Errorf("route %s: %w", r.Dst, err))
		}
	}
	return errors.Join(errs...)
}

// moveRoute adds a route by another interface, and then removes the old one. A replace would affect
// the first route of the same destination and metric, which may be another interface's
// (net/ipv4/fib_trie.c: fib_table_insert; net/ipv6/ip6_fib.c: fib6_add_rt2node).
func moveRoute(r netlink.Route, to int) error {
	moved := r
	moved.LinkIndex, moved.Flags = to, 0 // the kernel refuses the state of a link without carrier
	if moved.Gw != nil {
		moved.Flags = int(netlink.FLAG_ONLINK)
	}
	if err := netlink.RouteAppend(&moved); err != nil && !errors.Is(err, unix.EEXIST) {
		return err
	}
	if err := netlink.RouteDel(&r); err != nil && !errors.Is(err, unix.ESRCH) {
		return err
	}
	return nil
}

// reprobeNeighbours implements nic. A neighbour that the kernel solicits is reset to NUD_NONE,
// which keeps the packets that wait for it, and is used (net/core/neighbour.c: __neigh_update,
// neigh_event_send).
func (kernelNIC) reprobeNeighbours(index int) error {
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
