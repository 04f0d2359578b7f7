package bootspec

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
	"github.com/iscsiroot/iscsiroot/pkg/ibft"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// firmware takes in that the iBFT's target is wanted, or is not.
func (ps *parser) firmware(p cmdline.Param) error {
	set(ps, &ps.plan.Firmware, !off(p.Value), p)
	return nil
}

// firmwareNet takes in that the iBFT's addresses are wanted.
func (ps *parser) firmwareNet(p cmdline.Param) error {
	if off(p.Value) || len(ps.plan.Net.IP) >= maxIPLines {
		return nil
	}
	n := &ps.plan.Net
	n.IP = append(n.IP, Value[IP]{IP{Methods: []Method{Firmware}}, nth(source(p), len(n.IP))})
	return nil
}

// fromFirmware takes from the iBFT what nobody above it gave. Without being
// asked for its targets count if nobody else names one.
func (ps *parser) fromFirmware(t *ibft.Table) {
	ps.plan.HasIBFT = t != nil
	if t == nil {
		return
	}
	p := &ps.plan
	named := slices.ContainsFunc(p.Targets, func(t Target) bool { return t.Name.Given() && !low(t.Name.From) })
	asked := p.Firmware.Given() && p.Firmware.V
	refused := p.Firmware.Given() && !p.Firmware.V
	wantsNet := slices.ContainsFunc(p.Net.IP, func(v Value[IP]) bool { return v.V.Methods[0] == Firmware })
	if !asked && (named || refused) && !wantsNet {
		return
	}
	targets := firmwareTargets(t)
	if (asked || !named) && !refused {
		ps.firmwareTargets(t, targets)
		if name := t.Initiator.Name; name != "" && (!p.Initiator.Given() || low(p.Initiator.From)) {
			p.Initiator = Value[string]{name, "iBFT initiator"}
		}
	}
	if !p.Net.Address.Given() || low(p.Net.Address.From) {
		ps.firmwareNICs(t, targets, wantsNet)
	}
}

// firmwareTargets returns the targets to log in to by their places in the
// table: those that the firmware booted by come first. A target that only
// stands in for the first is left out.
func firmwareTargets(t *ibft.Table) []int {
	var order []int
	for i := range t.Targets {
		order = append(order, i)
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return btoi(t.Targets[b].Flags.Booted()) - btoi(t.Targets[a].Flags.Booted())
	})
	if t.Failover && len(order) > 1 {
		order = order[:1]
	}
	return order[:min(len(order), maxTargets)]
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// firmwareTargets adds the table's targets. Each has the CHAP that the table
// has for it, or that of the command line if it names no target.
func (ps *parser) firmwareTargets(t *ibft.Table, order []int) {
	p := &ps.plan
	var common Target
	p.Targets = slices.DeleteFunc(p.Targets, func(t Target) bool { return low(t.Name.From) })
	if len(p.Targets) > 0 && !p.Targets[0].Name.Given() {
		common, p.Targets = p.Targets[0], p.Targets[1:]
	}
	for _, i := range order {
		g := t.Targets[i]
		from := fmt.Sprintf("iBFT target %d", i)
		out := Target{
			Name:    Value[string]{g.Name, from},
			Portals: []Value[Portal]{{Portal{g.Portal.Addr().String(), g.Portal.Port()}, from}},
			LUN:     Value[iscsi.LUN]{g.LUN, from},
			Group:   common.Group,
			CHAP:    firmwareCHAP(g, from),
		}
		if out.Portals[0].V.Port == 0 {
			out.Portals[0].V.Port = DefaultPort
		}
		if common.CHAP.Given() {
			out.CHAP = common.CHAP
		}
		if g.Flags&(ibft.RADIUS|ibft.ReverseRAD) != 0 {
			ps.warnf("%s asks for CHAP by RADIUS, which is the target's business: what secrets there are count", from)
		}
		if at := indexName(p.Targets, g.Name); at >= 0 {
			ps.joinTarget(&p.Targets[at], out)
		} else {
			p.Targets = append(p.Targets, out)
		}
	}
}

func firmwareCHAP(g ibft.Target, from string) CHAP {
	var c CHAP
	if g.CHAP == ibft.NoCHAP {
		return c
	}
	c.User = Value[string]{g.User, from}
	c.Secret = Value[iscsi.Secret]{g.Secret, from}
	if g.CHAP == ibft.MutualCHAP {
		c.TargetUser = Value[string]{g.ReverseUser, from}
		c.TargetSecret = Value[iscsi.Secret]{g.ReverseSecret, from}
	}
	return c
}

// firmwareNICs makes lines of the NICs that the targets are reached by, or that
// the firmware booted by, and takes the first for the boot. Others than the
// firmware's lines keep their place.
func (ps *parser) firmwareNICs(t *ibft.Table, targets []int, asked bool) {
	n := &ps.plan.Net
	if !asked && len(n.IP) > 0 && !low(n.IP[0].From) {
		return
	}
	if !asked {
		n.IP = nil // the image's default
	}
	if low(n.Address.From) {
		n.Address, n.Gateway = Value[netip.Prefix]{}, overLow(n.Gateway)
	}
	for _, i := range ps.firmwareOrder(t, targets) {
		nic, from := t.NICs[i], fmt.Sprintf("iBFT NIC %d", i)
		line := Value[IP]{IP{MAC: nic.HardwareAddr(), Gateway: nic.Gateway, HostName: nic.HostName}, from}
		for _, dns := range []netip.Addr{nic.DNS, nic.DNS2} {
			if dns.IsValid() {
				line.V.DNS = append(line.V.DNS, dns)
			}
		}
		prefix, ok := nic.Prefix()
		switch {
		case nic.ByDHCP():
			line.V.Methods = []Method{DHCP}
			if nic.Address.Is6() {
				line.V.Methods = []Method{DHCP6}
			}
		case ok:
			line.V.Methods, line.V.Address = []Method{Static}, prefix
		default:
			continue
		}
		if nic.VLAN != 0 {
			name := fmt.Sprintf("ibft%d.%d", i, nic.VLAN)
			n.VLANs = append(n.VLANs, Value[VLAN]{VLAN{name, nic.HardwareAddr(), nic.VLAN}, from})
			line.V.Device, line.V.MAC = name, ""
		}
		n.IP = append(n.IP, line)
	}
}

// firmwareOrder returns the NICs to bring up by their places, those of targets
// first. With rd.iscsi.mp all count.
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
		if nic.Flags.Booted() || ps.multipath {
			add(i)
		}
	}
	return order
}

// checkFirmware says that the iBFT was asked for and is not there.
func (p Plan) checkFirmware() []error {
	if p.HasIBFT {
		return nil
	}
	var errs []error
	if p.Firmware.Given() && p.Firmware.V {
		errs = append(errs, fmt.Errorf("%s asks for the firmware's target: %w", p.Firmware.From, errNoIBFT))
	}
	for _, v := range p.Net.IP {
		if v.V.Methods[0] == Firmware && !p.Net.Address.Given() {
			errs = append(errs, fmt.Errorf("%s asks for the firmware's address: %w", v.From, errNoIBFT))
		}
	}
	return errs
}
