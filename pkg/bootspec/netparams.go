package bootspec

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// maxList limits how often a parameter may be repeated.
const maxList = 32

// appendTo adds the value of a parameter to a list.
func appendTo[T any](list *[]Value[T], v T, p cmdline.Param) error {
	if len(*list) >= maxList {
		return tooMany(p, "it is given more than 32 times", "it less often")
	}
	*list = append(*list, Value[T]{v, nth(source(p), len(*list))})
	return nil
}

func (ps *parser) bootdev(p cmdline.Param) error {
	dev, ok := readNIC(p.Value)
	if !ok {
		return bad(p, "this is not a NIC", "a name such as eth0, or a MAC")
	}
	set(ps, &ps.plan.Net.BootDevice, dev, p)
	return nil
}

// ksdevice is anaconda's: a name, a MAC, or a word that leaves the choice of the NIC open.
func (ps *parser) ksdevice(p cmdline.Param) error {
	switch strings.ToLower(p.Value) {
	case "bootif", "link", "ibft", "":
		return nil
	}
	return ps.bootdev(p)
}

// keepNames reads udev's net.ifnames=: with 0 NICs keep the kernel's names.
func (ps *parser) keepNames(p cmdline.Param) error {
	set(ps, &ps.plan.Net.KeepNames, off(p.Value), p)
	return nil
}

func (ps *parser) ifname(p cmdline.Param) error {
	name, mac, _ := strings.Cut(p.Value, ":")
	mac, ok := readMAC(mac)
	if !ok || !isInterface(name) {
		return bad(p, "this is not a name and MAC of an Ethernet NIC", "NAME:MAC, such as boot0:52:54:00:12:34:56")
	}
	return appendTo(&ps.plan.Net.Names, NICName{name, mac}, p)
}

// route reads NET/LENGTH:[GATEWAY][:NIC], IPv6 in brackets.
func (ps *parser) route(p cmdline.Param) error {
	const form = "NETWORK/LENGTH:GATEWAY[:NIC] or NETWORK/LENGTH::NIC, with IPv6 in brackets"
	t := splitTokens(p.Value)
	if len(t) < 2 || len(t) > 3 {
		return bad(p, "this is not a route", form)
	}
	var r NetRoute
	a, length, _ := strings.Cut(bare(t[0]), "/")
	addr, err := netip.ParseAddr(strings.Trim(a, "[]"))
	if err != nil || addr.Zone() != "" || addr.Is4In6() {
		return bad(p, "the network is not an address", form)
	}
	bits, ok := maskBits(length, addr)
	if length != "0" && !ok {
		return bad(p, "the network has no length", form)
	}
	r.To = netip.PrefixFrom(addr, bits).Masked()
	if t[1] != "" {
		if r.Via, err = netip.ParseAddr(bare(t[1])); err != nil || !isHost(r.Via) {
			return bad(p, "the gateway is not an address", form)
		}
	}
	if len(t) == 3 && t[2] != "" {
		if r.Device, ok = readNIC(bare(t[2])); !ok {
			return bad(p, "the last part is not a NIC name", form)
		}
	}
	return appendTo(&ps.plan.Net.Routes, r, p)
}

// vlan reads NAME:PARENT. The number is the end of the name: vlan5, vlan0005, eth0.5, eth0.0005.
func (ps *parser) vlan(p cmdline.Param) error {
	const form = "NAME:NIC, such as vlan5:eth0 or eth0.5:eth0"
	name, nic, _ := strings.Cut(p.Value, ":")
	parent, ok := readNIC(nic)
	if !ok || !isInterface(name) {
		return bad(p, "this is not a VLAN", form)
	}
	digits, ok := strings.CutPrefix(name, "vlan")
	if !ok {
		digits = name[strings.LastIndexByte(name, '.')+1:]
	}
	id, err := strconv.ParseUint(digits, 10, 12)
	if err != nil || id == 0 || id > 4094 {
		return bad(p, "the name does not end in a VLAN number from 1 to 4094", form)
	}
	return appendTo(&ps.plan.Net.VLANs, VLAN{name, parent, uint16(id)}, p)
}

// bond reads [NAME[:MEMBERS[:OPTIONS[:MTU]]]].
func (ps *parser) bond(p cmdline.Param) error {
	const form = "NAME:NIC,NIC:OPTIONS:MTU, such as bond0:eth0,eth1:mode=active-backup"
	g := Group{Kind: "bond", Name: "bond0", Members: []string{"eth0", "eth1"}, Options: "mode=balance-rr"}
	t := strings.SplitN(p.Value, ":", 3)
	if t[0] != "" {
		g.Name = t[0]
	}
	if len(t) > 1 && t[1] != "" {
		g.Members = strings.Split(t[1], ",")
	}
	if len(t) > 2 {
		opts, mtu := t[2], ""
		// The options may hold a MAC, with colons of its own.
		_, last, _ := strings.Cut(opts[strings.LastIndexByte(opts, ',')+1:], "=")
		_, isMAC := parseMAC(last)
		if i := strings.LastIndexByte(opts, ':'); !isMAC && i >= 0 && strings.Trim(opts[i+1:], "0123456789") == "" {
			opts, mtu = opts[:i], opts[i+1:]
		}
		if opts != "" {
			g.Options = opts
		}
		if mtu != "" {
			n, err := strconv.ParseUint(mtu, 10, 16)
			if err != nil || n < minMTU {
				return bad(p, "the MTU is not a number from 68 to 65535", form)
			}
			g.MTU = int(n)
		}
	}
	if _, cause := parseBondOptions(g.Options); cause != "" {
		return bad(p, cause, form)
	}
	return ps.groupOf(g, p, form)
}

// bridge reads [NAME:PORTS].
func (ps *parser) bridge(p cmdline.Param) error {
	g := Group{Kind: "bridge", Name: "br0", Members: []string{"eth0"}}
	if p.Value != "" {
		name, ports, _ := strings.Cut(p.Value, ":")
		g.Name, g.Members = name, strings.Split(ports, ",")
	}
	return ps.groupOf(g, p, "NAME:NIC,NIC, such as br0:eth0")
}

func (ps *parser) groupOf(g Group, p cmdline.Param, form string) error {
	good := isInterface(g.Name) && len(g.Members) <= maxList
	for i, m := range g.Members {
		nic, ok := readNIC(m)
		g.Members[i], good = nic, good && ok
	}
	if !good {
		return bad(p, "this is not a "+g.Kind, form)
	}
	return appendTo(&ps.plan.Net.Groups, g, p)
}

func (ps *parser) team(p cmdline.Param) error {
	return bad(p, "team devices are not supported, because they need a daemon", "bond=NAME:NIC,NIC:mode=active-backup")
}

func (ps *parser) needNet(p cmdline.Param) error {
	set(ps, &ps.plan.Net.Need, !off(p.Value), p)
	return nil
}

func (ps *parser) peerDNS(p cmdline.Param) error {
	set(ps, &ps.plan.Net.PeerDNS, !off(p.Value), p)
	return nil
}

// netTimeout reads a time limit. A value that is not a number is ignored, as in dracut.
func (ps *parser) netTimeout(p cmdline.Param) error {
	n, err := strconv.ParseUint(p.Value, 10, 31)
	if err != nil {
		ps.warnf("%s is not a time in seconds and is ignored", showWord(p))
		return nil
	}
	name := strings.TrimPrefix(p.Key, "rd.net.timeout.")
	return appendTo(&ps.plan.Net.Timeouts, Timeout{name, time.Duration(n) * time.Second}, p)
}

func (ps *parser) hostname(p cmdline.Param) error {
	if !isHostName(p.Value) {
		ps.warnf("%s is not a host name and is ignored", showWord(p))
		return nil
	}
	set(ps, &ps.plan.Net.HostName, p.Value, p)
	return nil
}

// netmask reads anaconda's netmask=. It and mtu= apply to the address in ip=.
func (ps *parser) netmask(p cmdline.Param) error {
	if _, ok := maskBits(p.Value, netip.AddrFrom4([4]byte{})); !ok {
		return bad(p, "this is not a netmask", "a mask such as 255.255.255.0")
	}
	set(ps, &ps.mask, p.Value, p)
	return nil
}

func (ps *parser) mtu(p cmdline.Param) error {
	n, err := strconv.ParseUint(p.Value, 10, 16)
	if err != nil || n < minMTU {
		return bad(p, "this is not an MTU", "a number from 68 to 65535")
	}
	set(ps, &ps.mtuGiven, int(n), p)
	return nil
}
