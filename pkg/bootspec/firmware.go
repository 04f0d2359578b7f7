package bootspec

import (
	"fmt"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
	"github.com/iscsiroot/iscsiroot/pkg/ibft"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// firmware reads whether the iBFT's targets are used.
func (ps *parser) firmware(p cmdline.Param) error {
	set(ps, &ps.plan.Firmware, !off(p.Value), p)
	return nil
}

// fromFirmware adds from the iBFT the values that no source of higher precedence gives. Without
// rd.iscsi.firmware its targets are used if no other source names one. The initiator's name is used
// whichever source names the target, as in dracut (modules.d/95iscsi/iscsiroot.sh: handle_netroot):
// rd.iscsi.firmware=0 concerns the targets, and gives the image's default precedence over the
// table's initiator name.
func (ps *parser) fromFirmware(t *ibft.Table) {
	ps.plan.HasIBFT = t != nil
	if t == nil {
		return
	}
	p := &ps.plan
	requested := p.Firmware.Given() && p.Firmware.V
	refused := p.Firmware.Given() && !p.Firmware.V
	if !p.Initiator.Given() || isDefault(p.Initiator.From) && !refused {
		ps.firmwareInitiator(t.Initiator.Name)
	}
	targets := ps.firmwareOrderOfTargets(t)
	wanted := (requested || !p.named()) && !refused && len(targets) > 0
	if wanted {
		ps.firmwareTargets(t, targets)
	}
	p.NoFirmwareTarget = len(t.Targets) == 0
	if ps.firmwareLines() || wanted {
		ps.firmwareNICs(t, targets)
	}
	ps.dropFirmwareNICs()
}

// firmwareInitiator uses the table's initiator name.
func (ps *parser) firmwareInitiator(name string) {
	const from = "iBFT initiator"
	switch {
	case name == "":
	case strings.ContainsFunc(name, notInName):
		ps.warnf("%s is not an iSCSI name and is ignored", from)
	default:
		ps.plan.Initiator = Value[string]{name, from}
	}
}

// named reports whether a source above the image's default names a target.
func (p *Plan) named() bool {
	return slices.ContainsFunc(p.Targets, func(t Target) bool { return t.Name.Given() && !isDefault(t.Name.From) })
}

// firmwareOrderOfTargets returns the indexes of the targets to log in to: those that the firmware
// booted by come first. A target that is only a failover for the first is left out, unless it has
// the same name, or all are to be paths.
func (ps *parser) firmwareOrderOfTargets(t *ibft.Table) []int {
	var order []int
	for i := range t.Targets {
		order = append(order, i)
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return btoi(t.Targets[b].Flags.Booted()) - btoi(t.Targets[a].Flags.Booted())
	})
	on := ps.plan.Multipath.On
	one := on.Given() && !on.V
	if t.Failover && len(order) > 1 && (one || !on.V && !ps.allNICs.V) {
		first := order[0]
		order = slices.DeleteFunc(order, func(i int) bool {
			return i != first && (one || !strings.EqualFold(t.Targets[i].Name, t.Targets[first].Name))
		})
	}
	return order[:min(len(order), maxTargets)]
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// firmwareTargets adds the table's targets. Parameters of a target without a name take precedence
// over the table: LUN, CHAP, and, if there is only one target, its address.
func (ps *parser) firmwareTargets(t *ibft.Table, order []int) {
	p := &ps.plan
	var common Target
	p.Targets = slices.DeleteFunc(p.Targets, func(t Target) bool { return isDefault(t.Name.From) })
	if len(p.Targets) > 0 && !p.Targets[0].Name.Given() {
		common, p.Targets = p.Targets[0], p.Targets[1:]
	}
	for _, i := range order {
		g := t.Targets[i]
		from := fmt.Sprintf("iBFT target %d", i)
		out := Target{
			Name:    Value[string]{g.Name, from},
			Portals: []Value[Portal]{{Portal{g.Portal.Addr().String(), g.Portal.Port()}, from}},
			LUN:     orElse(withoutDefault(common.LUN), Value[iscsi.LUN]{g.LUN, from}),
			Group:   withoutDefault(common.Group),
			CHAP:    firmwareCHAP(g, from),
		}
		if nic, ok := firmwarePathNIC(t, g); ok {
			out.PortalNICs = []Value[NIC]{{nic, from}}
		}
		if out.Portals[0].V.Port == 0 {
			out.Portals[0].V.Port = DefaultPort
		}
		if common.CHAP.Given() {
			out.CHAP = common.CHAP
		}
		if len(order) == 1 && len(common.Portals) > 0 && !isDefault(common.Portals[0].From) {
			out.Portals, out.PortalNICs = common.Portals, nil
		}
		if len(order) > 1 && ps.allNICs.V {
			out.Multipath = ps.allNICs
		}
		if g.Flags&(ibft.RADIUS|ibft.ReverseRAD) != 0 {
			ps.warnf("%s requests CHAP by RADIUS, which is not supported: the secrets that are given are used", from)
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

// Reasons why the firmware provides no target.
const (
	noIBFT           = "this machine's firmware provides no iBFT"
	noFirmwareTarget = "this machine's iBFT has no target that can be used"
)

// firmwareMissing returns the reason why a requested target of the firmware is missing, "" if it
// exists or none is requested.
func (p *Plan) firmwareMissing() string {
	switch {
	case !p.Firmware.Given() || !p.Firmware.V:
	case !p.HasIBFT:
		return noIBFT
	case p.NoFirmwareTarget:
		return noFirmwareTarget
	}
	return ""
}

// warnFirmware warns of requests for the firmware's table that other sources replace.
func (p *Plan) warnFirmware() []string {
	var out []string
	if cause := p.firmwareMissing(); cause != "" && p.checkFirmware(false) == nil {
		out = append(out, fmt.Sprintf("%s asks for the firmware's target, and %s: other sources are used", p.Firmware.From, cause))
	}
	for _, v := range p.Net.IP {
		if isFirmware(v) && p.Net.hasAddress() {
			out = append(out, fmt.Sprintf("%s asks for the firmware's address, and %s: other lines are used", label(v), noIBFT))
		}
	}
	return out
}

// checkFirmware returns errors if the iBFT is requested and missing, or has no usable target, and
// no other source replaces it.
func (p *Plan) checkFirmware(final bool) []error {
	var errs []error
	const otherwise = "let the firmware boot by iSCSI, or write iscsi_t= and iscsi_a="
	named := slices.ContainsFunc(p.Targets, func(t Target) bool { return t.Name.Given() })
	if cause := p.firmwareMissing(); cause != "" && !named && (final || !p.waitsForDHCP()) {
		errs = append(errs, fmt.Errorf("%s asks for the firmware's target: %s: %s", p.Firmware.From, cause, otherwise))
	}
	for _, v := range p.Net.IP {
		if isFirmware(v) && !p.Net.hasAddress() {
			errs = append(errs, fmt.Errorf("%s asks for the firmware's address: %s: let the firmware boot by iSCSI, or write ip=NIC:dhcp", label(v), noIBFT))
		}
	}
	return errs
}

// hasAddress reports whether the plan has an address, or a method to get one.
func (n *Net) hasAddress() bool { return n.Address.Given() || slices.ContainsFunc(n.IP, configures) }

// configures reports whether a line gives an address, or a method to get one.
func configures(v Value[IP]) bool { return v.V.Methods[0] != Off && v.V.Methods[0] != Firmware }
