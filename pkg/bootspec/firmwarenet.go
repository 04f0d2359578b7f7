package bootspec

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
	"github.com/iscsiroot/iscsiroot/pkg/ibft"
)

// firmwareNet adds a line for the iBFT's addresses.
func (ps *parser) firmwareNet(p cmdline.Param) error {
	if off(p.Value) || len(ps.plan.Net.IP) >= maxIPLines {
		return nil
	}
	n := &ps.plan.Net
	n.IP = append(n.IP, Value[IP]{IP{Methods: []Method{Firmware}}, nth(source(p), len(n.IP))})
	return nil
}

// firmwareLines reports whether a line requests the firmware's address.
func (ps *parser) firmwareLines() bool {
	return slices.ContainsFunc(ps.plan.Net.IP, isFirmware)
}

func isFirmware(v Value[IP]) bool { return v.V.Methods[0] == Firmware }

// firmwareNICs replaces the lines that request the table's NICs: by those that a target is reached
// by or that the firmware booted by, and, if lines name more NICs, by others. The table's MAC
// identifies the NIC, as in dracut (modules.d/*network-legacy/net-lib.sh: ibft_to_cmdline); a
// line's name selects one of several if its MAC is known, and names the NIC. Lines of other methods
// are not changed.
func (ps *parser) firmwareNICs(t *ibft.Table, targets []int) {
	n := &ps.plan.Net
	requested := ps.firmwareLines()
	switch {
	case n.Address.Given() && !isDefault(n.Address.From):
		return // network warns that the lines are ignored
	case !requested && len(n.IP) > 0 && !isDefault(n.IP[0].From):
		return
	}
	f := ps.newFirmwareNet(t, targets)
	lines := f.replace(n.IP, requested)
	switch {
	case slices.ContainsFunc(lines, configures):
		n.IP = lines
	case n.hasAddress(): // the image's default
		return
	default:
		n.IP = append(lines, f.dhcpLine(targets))
	}
	if isDefault(n.Address.From) {
		n.Address, n.Gateway = Value[netip.Prefix]{}, withoutDefault(n.Gateway)
	}
}

// replace returns the lines with the requests replaced by the table's lines. Without a request the
// table's lines replace the image's default.
func (f *firmwareNet) replace(requests []Value[IP], requested bool) []Value[IP] {
	if !requested {
		return f.rest(nil, &Value[IP]{})
	}
	f.pick(requests)
	var lines []Value[IP]
	var last Value[IP] // the line whose precedence the NICs without a line get
	for i := range requests {
		v := &requests[i]
		if v.V.Methods[0] != Firmware {
			lines = append(lines, *v)
			continue
		}
		if last.From = v.From; v.V.named() {
			lines = f.named(lines, i, v)
		} else {
			lines = f.rest(lines, v)
		}
	}
	return f.rest(lines, &last)
}

// firmwareNet assigns the NICs of a table to the lines that request them.
type firmwareNet struct {
	ps     *parser
	t      *ibft.Table
	macs   []string    // of the NICs, "" where the table has none
	order  []int       // indexes of the NICs to bring up
	picked map[int]int // by the line's index: the NIC that it names
}

func (ps *parser) newFirmwareNet(t *ibft.Table, targets []int) *firmwareNet {
	f := &firmwareNet{ps: ps, t: t, order: ps.firmwareOrder(t, targets)}
	for i := range t.NICs {
		mac := ""
		if nic := &t.NICs[i]; nic.MAC != [6]byte{} {
			mac = nic.HardwareAddr()
		}
		f.macs = append(f.macs, mac)
	}
	return f
}

func (ip *IP) named() bool { return ip.Device != "" || ip.MAC != "" }

// pick assigns NICs to the lines that name one: by MAC if it is known, then in the table's order.
func (f *firmwareNet) pick(lines []Value[IP]) {
	f.picked = map[int]int{}
	left := slices.Clone(f.order)
	for i := range f.t.NICs {
		if !slices.Contains(left, i) {
			left = append(left, i)
		}
	}
	for _, byMAC := range []bool{true, false} {
		for i := range lines {
			ip := &lines[i].V
			if _, done := f.picked[i]; done || ip.Methods[0] != Firmware || !ip.named() {
				continue
			}
			at := 0
			if byMAC {
				mac := f.mac(ip)
				at = slices.IndexFunc(left, func(nic int) bool { return mac != "" && f.macs[nic] == mac })
			}
			if at >= 0 && at < len(left) {
				f.picked[i] = left[at]
				left = slices.Delete(left, at, at+1)
			}
		}
	}
	f.order = slices.DeleteFunc(f.order, func(nic int) bool { return !slices.Contains(left, nic) || f.elsewhere(lines, nic) })
}

// mac returns the MAC of the NIC that a line names, "" if it is not known.
func (f *firmwareNet) mac(ip *IP) string {
	return cmp.Or(ip.MAC, f.ps.plan.Net.macOf(ip.Device))
}

// elsewhere reports whether a line of another method names the NIC.
func (f *firmwareNet) elsewhere(lines []Value[IP], nic int) bool {
	for i := range lines {
		if ip := &lines[i].V; ip.Methods[0] != Firmware && f.macs[nic] != "" && f.mac(ip) == f.macs[nic] {
			return true
		}
	}
	return false
}

// named adds the line for a request that names its NIC.
func (f *firmwareNet) named(lines []Value[IP], i int, v *Value[IP]) []Value[IP] {
	nic, ok := f.picked[i]
	if !ok {
		f.ps.warnf("%s is ignored: the iBFT has no other NIC", label(*v))
		return lines
	}
	by := *v
	if mac, its := f.mac(&v.V), f.macs[nic]; mac != "" && its != "" && mac != its {
		f.ps.warnf("%s is for the NIC with MAC %s, and iBFT NIC %d has MAC %s, which is used", label(by), mac, nic, its)
		by.V.Device = "" // it is another NIC's name
	}
	return f.line(lines, nic, &by)
}

// rest adds the lines of the NICs that no request names.
func (f *firmwareNet) rest(lines []Value[IP], by *Value[IP]) []Value[IP] {
	for _, nic := range f.order {
		lines = f.line(lines, nic, by)
	}
	f.order = nil
	return lines
}

// line adds the line of a NIC; by is the request, whose own values take precedence. No line is
// added if the table has no address for the NIC.
func (f *firmwareNet) line(lines []Value[IP], i int, by *Value[IP]) []Value[IP] {
	nic := &f.t.NICs[i]
	v := Value[IP]{by.V, fmt.Sprintf("iBFT NIC %d", i)}
	if by.V.named() || level(by.From) != 1 {
		v.From += ", " + label(*by)
	}
	ip := &v.V
	if ip.Address.IsValid() {
		f.ps.warnf("the address in %s is ignored: that of the iBFT is used", label(*by))
	}
	ip.Address, ip.Peer, ip.Guessed = netip.Prefix{}, netip.Prefix{}, false
	prefix, hasMask := nic.Prefix()
	switch {
	case nic.ByDHCP() && nic.Address.Is6():
		ip.Methods = []Method{DHCP6}
	case nic.ByDHCP():
		ip.Methods = []Method{DHCP}
	case !nic.Address.IsValid():
		f.ps.warnf("iBFT NIC %d has no address and is ignored", i)
		return lines
	case !hasMask:
		prefix, ip.Guessed = netip.PrefixFrom(nic.Address, classBits(nic.Address)), true
		fallthrough
	default:
		ip.Methods, ip.Address = []Method{Static}, prefix
	}
	if !ip.Gateway.IsValid() {
		ip.Gateway = nic.Gateway
	}
	ip.HostName = cmp.Or(ip.HostName, nic.HostName)
	for _, dns := range []netip.Addr{nic.DNS, nic.DNS2} {
		if dns.IsValid() && !slices.Contains(ip.DNS, dns) {
			ip.DNS = append(slices.Clip(ip.DNS), dns)
		}
	}
	f.identify(ip, i, v.From)
	return append(lines, v)
}

// identify sets which NIC of the machine the line is for: by its MAC, or where the table has none
// by the line's name, or by its PCI address. With a VLAN the line is for the VLAN.
func (f *firmwareNet) identify(ip *IP, i int, from string) {
	nic := &f.t.NICs[i]
	switch {
	case f.macs[i] != "":
		ip.MAC = f.macs[i]
	case !ip.named() && nic.PCI != 0:
		ip.Device = "0000:" + nic.PCI.String()
	}
	if nic.VLAN == 0 {
		return
	}
	name := firmwareVLAN(i, nic)
	n := &f.ps.plan.Net
	n.VLANs = append(n.VLANs, Value[VLAN]{VLAN{name, cmp.Or(ip.MAC, ip.Device), nic.VLAN}, from})
	ip.Device, ip.MAC = name, ""
}

// dhcpLine returns the line for a table that has no address for any NIC: DHCP on the NIC of the
// first target if its MAC is known, else on any.
func (f *firmwareNet) dhcpLine(targets []int) Value[IP] {
	v := Value[IP]{IP{Methods: []Method{DHCP}}, "iBFT without an address"}
	for _, i := range f.ps.firmwareOrder(f.t, targets) {
		v.V.MAC = cmp.Or(v.V.MAC, f.macs[i])
	}
	f.ps.warnf("the iBFT has no NIC with an address, and DHCP is tried: write ip=ADDRESS::GATEWAY:MASK::NIC:none if there is no DHCP server")
	return v
}

// firmwareOrder returns the indexes of the NICs to bring up, those of targets first. All are
// brought up with rd.iscsi.mp, or if none is marked as booted by or named by a target.
func (ps *parser) firmwareOrder(t *ibft.Table, targets []int) []int {
	var order []int
	add := func(i int) {
		if !slices.Contains(order, i) {
			order = append(order, i)
		}
	}
	for _, g := range targets {
		for i, nic := range t.NICs {
			if nic.Index == t.Targets[g].NIC {
				add(i)
			}
		}
	}
	for i, nic := range t.NICs {
		if nic.Flags.Booted() || ps.allNICs.V {
			add(i)
		}
	}
	if len(order) == 0 {
		for i := range t.NICs {
			add(i)
		}
	}
	return order
}

// ofFirmware reports whether a line is from the iBFT.
func ofFirmware(v Value[IP]) bool { return strings.HasPrefix(v.From, "iBFT ") }

// firmwareVLAN is the name of the VLAN of the table's i-th NIC.
func firmwareVLAN(i int, nic *ibft.NIC) string { return fmt.Sprintf("ibft%d.%d", i, nic.VLAN) }

// firmwarePathNIC returns the NIC by which the table's target is reached, ok false if the table has
// no name for it.
func firmwarePathNIC(t *ibft.Table, target ibft.Target) (NIC, bool) {
	for i := range t.NICs {
		nic := &t.NICs[i]
		switch {
		case nic.Index != target.NIC:
		case nic.VLAN != 0:
			return NIC{Name: firmwareVLAN(i, nic)}, true
		case nic.MAC != [6]byte{}:
			return NIC{MAC: nic.HardwareAddr()}, true
		}
	}
	return NIC{}, false
}

// dropFirmwareNICs drops the NICs of the table's targets that have no line: other parameters have
// replaced the table's addresses, and the kernel chooses the NIC.
func (ps *parser) dropFirmwareNICs() {
	n := &ps.plan.Net
	for i := range ps.plan.Targets {
		t := &ps.plan.Targets[i]
		for j, nic := range t.PortalNICs {
			has := func(v Value[IP]) bool { return configures(v) && n.isForNIC(v.V, nic.V.String()) }
			if strings.HasPrefix(nic.From, "iBFT ") && !slices.ContainsFunc(n.IP, has) {
				t.PortalNICs[j] = Value[NIC]{}
			}
		}
	}
}
