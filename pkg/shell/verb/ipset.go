package verb

import (
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// setLink is ip link set DEV up, down, mtu N, in any number.
func (i ip) setLink(args []string) error {
	if len(args) > 0 && args[0] == "dev" {
		args = args[1:]
	}
	if len(args) < 2 {
		return usage("ip link set DEV up|down|mtu N")
	}
	l, err := netlink.LinkByName(args[0])
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	for args = args[1:]; len(args) > 0; args = args[1:] {
		switch {
		case args[0] == "up":
			err = netlink.LinkSetUp(l)
		case args[0] == "down":
			err = netlink.LinkSetDown(l)
		case args[0] == "mtu" && len(args) > 1:
			var mtu int
			if mtu, err = strconv.Atoi(args[1]); err == nil {
				err = netlink.LinkSetMTU(l, mtu)
			}
			args = args[1:]
		default:
			return usage("ip link set %s: unknown word %s", l.Attrs().Name, args[0])
		}
		if err != nil {
			return fmt.Errorf("%s: %w", l.Attrs().Name, err)
		}
	}
	return nil
}

// changeAddress is ip addr add and del.
func (i ip) changeAddress(add bool, args words) error {
	if len(args) == 0 || args.value("dev") == "" {
		return usage("ip addr add|del ADDRESS/LENGTH dev DEV")
	}
	addr, err := netlink.ParseAddr(args[0])
	if err != nil {
		return usage("%s is not an address with a length, such as 10.0.0.2/24", args[0])
	}
	l, err := netlink.LinkByName(args.value("dev"))
	if err != nil {
		return fmt.Errorf("%s: %w", args.value("dev"), err)
	}
	if !add {
		return netlink.AddrDel(l, addr)
	}
	if addr.IP.To4() == nil {
		addr.Flags = unix.IFA_F_NODAD // usable immediately, without duplicate address detection
	}
	return netlink.AddrAdd(l, addr)
}

func (i ip) flushAddresses(name string) error {
	if name == "" {
		return usage("ip addr flush dev DEV")
	}
	l, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	addrs, err := netlink.AddrList(l, i.family)
	if err != nil {
		return err
	}
	var errs []error
	for _, a := range addrs {
		errs = append(errs, netlink.AddrDel(l, &a))
	}
	return errors.Join(errs...)
}

func (i ip) flushNeighbours(name string) error {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return usage("ip neigh flush dev DEV")
	}
	list, err := netlink.NeighList(l.Attrs().Index, i.family)
	if err != nil {
		return err
	}
	var errs []error
	for _, n := range list {
		if n.State&(unix.NUD_NOARP|unix.NUD_PERMANENT) == 0 {
			errs = append(errs, netlink.NeighDel(&n))
		}
	}
	return errors.Join(errs...)
}

func (i ip) routes() error {
	list, err := netlink.RouteList(nil, i.family)
	if err != nil {
		return err
	}
	for _, r := range list {
		text := "default"
		if r.Dst != nil && !(r.Dst.IP.IsUnspecified() && ones(r.Dst) == 0) {
			text = r.Dst.String()
		}
		if r.Gw != nil {
			text += " via " + r.Gw.String()
		}
		if l, err := netlink.LinkByIndex(r.LinkIndex); err == nil {
			text += " dev " + l.Attrs().Name
		}
		if r.Src != nil {
			text += " src " + r.Src.String()
		}
		if r.Priority != 0 {
			text += fmt.Sprintf(" metric %d", r.Priority)
		}
		if err := i.Printf("%s\n", text); err != nil {
			return err
		}
	}
	return nil
}

func ones(n *net.IPNet) int {
	bits, _ := n.Mask.Size()
	return bits
}

// defaultNetwork is the network of a default route: of the family that is given, else of the
// gateway's.
func (i ip) defaultNetwork(gateway net.IP) *net.IPNet {
	if i.family == netlink.FAMILY_V6 || gateway != nil && gateway.To4() == nil {
		return &net.IPNet{IP: net.IPv6zero, Mask: net.CIDRMask(0, 128)}
	}
	return &net.IPNet{IP: net.IPv4zero.To4(), Mask: net.CIDRMask(0, 32)}
}

// changeRoute is ip route add, del and replace, by their first letter.
func (i ip) changeRoute(command byte, args words) error {
	r, err := i.route(args)
	if err != nil {
		return err
	}
	switch command {
	case 'a':
		return netlink.RouteAdd(r)
	case 'd':
		r.Scope = netlink.SCOPE_NOWHERE // whatever scope it has (net/ipv4/fib_trie.c: fib_table_delete)
		return netlink.RouteDel(r)
	}
	return netlink.RouteReplace(r)
}

func (i ip) route(args words) (*netlink.Route, error) {
	if len(args) == 0 {
		return nil, usage("ip route add|del default|ADDRESS/LENGTH [via ADDRESS] [dev DEV]")
	}
	r := &netlink.Route{Family: i.family}
	if via := args.value("via"); via != "" {
		if r.Gw = net.ParseIP(via); r.Gw == nil {
			return nil, usage("%s is not an address", via)
		}
	}
	if args[0] == "default" {
		r.Dst = i.defaultNetwork(r.Gw)
	} else {
		dst, err := netlink.ParseIPNet(args[0])
		if err != nil {
			return nil, usage("%s is not a network, such as 10.0.0.0/24", args[0])
		}
		dst.IP = dst.IP.Mask(dst.Mask)
		r.Dst = dst
	}
	if dev := args.value("dev"); dev != "" {
		l, err := netlink.LinkByName(dev)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", dev, err)
		}
		r.LinkIndex = l.Attrs().Index
	}
	if r.Gw == nil {
		r.Scope = netlink.SCOPE_LINK
	}
	return r, nil
}
