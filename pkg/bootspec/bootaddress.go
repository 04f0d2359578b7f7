package bootspec

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// network chooses the address of the boot from all network parameters: that of iscsi_i_ip= if it is
// given, else that of one ip=.
func (ps *parser) network() {
	n := &ps.plan.Net
	n.IP, n.VLANs, n.Groups = highestLevel(n.IP), highestLevel(n.VLANs), highestLevel(n.Groups)
	ps.applyAnaconda()
	if n.Address.Given() && len(n.IP) > 0 && level(n.Address.From) < level(n.IP[0].From) {
		n.Address, n.Gateway = Value[netip.Prefix]{}, withoutDefault(n.Gateway)
	}
	ps.implyDHCP()
	ps.completeLines()
	for _, v := range n.IP {
		if v.V.Guessed {
			ps.warnf("%s has no mask: %s is used", v.From, v.V.Address)
		}
	}
	if n.Address.Given() {
		ps.joinAddress()
	} else if i := ps.bootLine(); i >= 0 {
		ps.applyLine(n.IP[i])
		ps.applyOtherLines(i)
	}
	ps.chooseNIC()
}

// completeLines completes lines from other parameters. With a gateway, a guessed peer is a boot
// server and is dropped. NIC:static names the NIC of iscsi_i_ip=.
func (ps *parser) completeLines() {
	n := &ps.plan.Net
	for i := range n.IP {
		v := &n.IP[i]
		if v.V.PeerGuessed && n.Gateway.Given() {
			v.V.Peer, v.V.PeerGuessed = netip.Prefix{}, false
		}
		if v.V.Methods[0] != Static || v.V.Address.IsValid() {
			continue
		}
		if n.Address.Given() {
			ps.applyLine(*v)
		} else {
			ps.warnf("%s has no address for its NIC and is ignored: write it in front of the NIC, or iscsi_i_ip=ADDRESS/MASK", label(*v))
		}
		v.V.Methods = []Method{Off}
	}
}

// applyOtherLines applies settings of the whole machine from the lines that are not the boot's:
// name servers, after those of the boot, and a host name if there is none, or only the firmware's.
func (ps *parser) applyOtherLines(boot int) {
	n := &ps.plan.Net
	for i := range n.IP {
		v := &n.IP[i]
		if i == boot {
			continue
		}
		for _, d := range v.V.DNS {
			if !slices.ContainsFunc(n.Nameservers, func(have Value[netip.Addr]) bool { return have.V == d }) {
				n.Nameservers = append(n.Nameservers, Value[netip.Addr]{d, v.From})
			}
		}
		if isHostName(v.V.HostName) && (!n.HostName.Given() || strings.HasPrefix(n.HostName.From, "iBFT ") && !ofFirmware(*v)) {
			n.HostName = Value[string]{v.V.HostName, v.From}
		}
	}
}

// implyDHCP adds ip=dhcp where netroot= or DHCP names the target and no parameter gives an address,
// as dracut does, and for several NICs that paths are to use one line for each.
func (ps *parser) implyDHCP() {
	n := &ps.plan.Net
	from := ps.plan.ByDHCP.From
	if len(ps.netroots) > 0 {
		from = ps.netroots[0].Name.From
	}
	if from == "" || len(n.IP) > 0 || n.Address.Given() {
		return
	}
	from += " without ip="
	for _, nic := range ps.namedNICs() {
		n.IP = append(n.IP, Value[IP]{IP{Methods: []Method{DHCP}, Device: nic.Name, MAC: nic.MAC}, from})
	}
	if len(n.IP) < 2 {
		n.IP = []Value[IP]{{IP{Methods: []Method{DHCP}}, from}}
	}
}

// joinAddress applies the lines of ip= that have the address of iscsi_i_ip=, and ignores those that
// contradict it.
func (ps *parser) joinAddress() {
	n := &ps.plan.Net
	var kept []Value[IP]
	for _, v := range n.IP {
		switch {
		case v.V.Address.IsValid() && v.V.Address.Addr() == n.Address.V.Addr():
			if v.V.Address.Bits() != n.Address.V.Bits() {
				ps.warnf("%s has another mask than %s, which is used: %s", v.From, n.Address.From, n.Address.V)
				v.V.Address = n.Address.V
			}
			ps.applyLine(v)
			kept = append(kept, v)
		case !slices.Equal(v.V.Methods, []Method{Off}):
			ps.warnf("%s is ignored: %s gives this machine's address %s", label(v), n.Address.From, n.Address.V)
		}
	}
	n.IP = kept
}

// applyAnaconda completes a bare address in ip= by anaconda's netmask= and mtu=.
func (ps *parser) applyAnaconda() {
	n := &ps.plan.Net
	for i := range n.IP {
		v := &n.IP[i].V
		if addr := v.Address.Addr(); v.Guessed && v.Address.Bits() == addr.BitLen() {
			v.Address = netip.PrefixFrom(addr, classBits(addr))
		}
		if bits, ok := maskBits(ps.mask.V, v.Address.Addr()); ok && v.Guessed {
			v.Address, v.Guessed = netip.PrefixFrom(v.Address.Addr(), bits), false
			n.IP[i].From += ", " + ps.mask.From
		}
		if ps.mtuGiven.Given() && v.MTU == 0 && v.Methods[0] != Off {
			v.MTU = ps.mtuGiven.V
			n.IP[i].From += ", " + ps.mtuGiven.From
		}
	}
	if len(n.IP) == 0 {
		n.BootMTU = ps.mtuGiven
	}
}

// bootLine returns the index of the line of ip= that the boot uses, -1 if there is none. In order
// of precedence it is the line of the NIC in iscsi_if= or netroot=, of bootdev=, of BOOTIF=, of the
// iBFT if the target is the iBFT's, the first line that names a NIC, the first line.
func (ps *parser) bootLine() int {
	lines := ps.plan.Net.IP
	find := func(want func(IP) bool) int {
		return slices.IndexFunc(lines, func(v Value[IP]) bool { return configures(v) && want(v.V) })
	}
	for _, dev := range []Value[string]{ps.plan.Net.Interface, ps.plan.Net.BootDevice, ps.bootNIC()} {
		if i := find(func(ip IP) bool { return ps.isForNIC(ip, dev.V) }); dev.Given() && i >= 0 {
			return i
		}
	}
	if t := ps.plan.Targets; len(t) > 0 && strings.HasPrefix(t[0].Name.From, "iBFT ") {
		if i := slices.IndexFunc(lines, ofFirmware); i >= 0 {
			return i
		}
	}
	if i := find(func(ip IP) bool { return ip.named() }); i >= 0 {
		return i
	}
	return find(func(IP) bool { return true })
}

// bootNIC returns the value of BOOTIF=, unless rd.bootif=0 is given.
func (ps *parser) bootNIC() Value[string] {
	if ps.noBootif {
		return Value[string]{}
	}
	return ps.boot
}

// isForNIC reports whether a line is for the NIC of a name or MAC.
func (ps *parser) isForNIC(ip IP, dev string) bool { return ps.plan.Net.isForNIC(ip, dev) }

func (n *Net) isForNIC(ip IP, dev string) bool {
	return dev == ip.Device || dev == ip.MAC || ip.Device != "" && dev == n.macOf(ip.Device)
}

// applyLine fills from a static line what no other parameter gave.
func (ps *parser) applyLine(v Value[IP]) {
	n, ip := &ps.plan.Net, v.V
	if ip.Address.IsValid() && !n.Address.Given() {
		n.Address = Value[netip.Prefix]{ip.Address, v.From}
	}
	if ip.Gateway.IsValid() && !n.Gateway.Given() {
		n.Gateway = Value[netip.Addr]{ip.Gateway, v.From}
	}
	for _, d := range ip.DNS {
		n.Nameservers = append(n.Nameservers, Value[netip.Addr]{d, v.From})
	}
	if isHostName(ip.HostName) && !n.HostName.Given() {
		n.HostName = Value[string]{ip.HostName, v.From}
	}
	if n.Interface.Given() {
		if ip.Device != "" && ip.Device != n.Interface.V {
			ps.warnf("%s names the NIC %s and %s names %s, which is used", v.From, ip.Device, n.Interface.From, n.Interface.V)
		}
		return
	}
	if ip.MAC != "" {
		n.MAC = Value[string]{ip.MAC, v.From}
		if ip.MAC == ps.boot.V {
			n.MAC.From += ", " + ps.boot.From
		}
	} else if ip.Device != "" {
		n.Interface = Value[string]{ip.Device, v.From}
	}
}

// chooseNIC sets the name of the NIC or its MAC.
func (ps *parser) chooseNIC() {
	n := &ps.plan.Net
	if dev := n.BootDevice; dev.Given() && !n.Interface.Given() && !n.MAC.Given() {
		if strings.Contains(dev.V, ":") {
			n.MAC = dev
		} else {
			n.Interface = dev
		}
	}
	if _, ok := parseMAC(n.Interface.V); ok {
		n.MAC, n.Interface = n.Interface, Value[string]{}
	}
	if n.Interface.Given() || n.MAC.Given() {
		return
	}
	if dev, ok := n.topDevice(); ok {
		n.Interface = dev
	} else {
		n.MAC = ps.bootNIC()
	}
}

// label names a line of ip= with its value where its source has the key alone.
func label(v Value[IP]) string {
	if rest, ok := strings.CutPrefix(v.From, "ip="); ok {
		return "ip=" + show(v.V.String()) + rest
	}
	return v.From
}

// peerDNS returns the network's name servers, unless rd.peerdns=0.
func (n Net) peerDNS(facts NetFacts) []netip.Addr {
	if n.PeerDNS.Or(true) {
		return facts.Nameservers
	}
	return nil
}

// ignoredTimeouts returns warnings of time limits that have no effect.
func (n Net) ignoredTimeouts() []string {
	var out []string
	several := slices.ContainsFunc(n.IP, func(v Value[IP]) bool { return len(v.V.Methods) > 1 })
	for _, v := range n.Timeouts {
		if v.V.Name == "dhcp" && several {
			continue
		}
		out = append(out, fmt.Sprintf("%s is ignored: rd.timeout= limits the wait for the network", v.From))
	}
	return out
}
