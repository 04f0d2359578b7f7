package bootspec

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

// NetFacts are the facts that only the network provides; package network fills them.
type NetFacts struct {
	Interface string
	// MAC is the interface's, as 52:54:00:12:34:56; empty if it has none.
	MAC     string
	Address netip.Prefix
	Gateway netip.Addr // zero if there is no default route
	// Networks are reached without a gateway, in addition to that of Address.
	Networks []netip.Prefix
	// Links are the interfaces that have addresses, each with its own networks.
	Links []LinkFacts
	// Nameservers are the network's; those of the command line come before them.
	Nameservers []netip.Addr
	// RootPath is DHCP's option 17, any bytes; empty if there was none.
	RootPath string
	// Initiator is iPXE's option 203, an iSCSI name; empty if there was none.
	Initiator string
	// HostName is DHCP's option 12; empty if there was none.
	HostName string
	// Server is the DHCP server that gave them; not valid if it is unknown.
	Server netip.Addr
}

// LinkFacts are an interface and the networks on its link.
type LinkFacts struct {
	Name     string
	MAC      string // as in NetFacts; empty if it is not known
	Networks []netip.Prefix
}

// LeaseFacts returns the facts in leases. The first is that of the boot; the others fill in what it
// lacks.
func LeaseFacts(leases ...dhcp.Lease) NetFacts {
	var f NetFacts
	for i, l := range leases {
		if i == 0 {
			f.Interface, f.Address, f.Server = l.Interface, l.Address, l.Server
		} else if l.Address.IsValid() {
			f.Networks = append(f.Networks, l.Address.Masked())
		}
		f.addLink(l)
		if !f.Gateway.IsValid() {
			f.Gateway = l.Gateway()
		}
		for _, r := range l.Routes {
			if r.To.Bits() > 0 {
				f.Networks = append(f.Networks, r.To)
			}
		}
		for _, d := range l.DNS {
			if !slices.Contains(f.Nameservers, d) {
				f.Nameservers = append(f.Nameservers, d)
			}
		}
		if f.RootPath == "" && l.RootPath != "" {
			f.RootPath, f.Server = l.RootPath, l.Server
		}
		if f.Initiator == "" {
			f.Initiator = l.Initiator
		}
		if f.HostName == "" {
			f.HostName = l.HostName
		}
	}
	return f
}

// UsesRootPath reports whether a DHCP server's root path is used for the target's name or address.
func (p Plan) UsesRootPath() bool {
	return p.waitsForDHCP() && !slices.ContainsFunc(p.Targets, func(t Target) bool {
		return t.Name.Given() && !isDefault(t.Name.From) && len(t.Portals) > 0
	})
}

// NeedsRootPath reports whether there is no target to boot from unless a DHCP server names it. A
// target in the image's default is one, unless a parameter of higher precedence leaves the target
// to DHCP.
func (p Plan) NeedsRootPath() bool {
	if !p.UsesRootPath() {
		return false
	}
	incomplete := func(t Target) bool { return !t.Name.Given() || len(t.Portals) == 0 }
	return len(p.Targets) == 0 || slices.ContainsFunc(p.Targets, incomplete) || p.ByDHCP.Given() && !isDefault(p.ByDHCP.From)
}

// source names a DHCP option as the origin of a value.
func (f NetFacts) source(option int) string {
	from := fmt.Sprintf("DHCP option %d", option)
	if f.Server.IsValid() {
		from += " from " + f.Server.String()
	}
	return from
}

// addFacts adds DHCP's target and initiator to the plan. DHCP's target is used only if no source
// above the image's default names one.
func (p *Plan) addFacts(f NetFacts) (warnings []string, err error) {
	if f.Initiator != "" && (!p.Initiator.Given() || isDefault(p.Initiator.From)) {
		if isTargetName(f.Initiator) {
			p.Initiator = Value[string]{f.Initiator, f.source(203)}
		} else {
			warnings = append(warnings, f.source(203)+" is not an initiator name and is ignored")
		}
	}
	warnings = append(warnings, p.nameInitiator(f)...)
	if f.RootPath == "" {
		return warnings, nil
	}
	more, err := p.addRootPath(f)
	return append(warnings, more...), err
}

// addRootPath uses DHCP's root path for the target. A text in dracut's form is read in the same
// way, its LUN in hex too, as iPXE reads it.
func (p *Plan) addRootPath(f NetFacts) (warnings []string, err error) {
	from := f.source(17)
	i := slices.IndexFunc(p.Targets, func(t Target) bool { return t.Name.Given() && !isDefault(t.Name.From) })
	r, err := ParseRootPath(f.RootPath)
	switch {
	case err != nil && (i >= 0 || len(p.Targets) > 0 && p.Targets[0].Name.Given()):
		return []string{fmt.Sprintf("%s is ignored: %v", from, err)}, nil
	case err != nil:
		return nil, fmt.Errorf("%s: %w", from, err)
	case i >= 0 && strings.EqualFold(p.Targets[i].Name.V, r.Name):
		t := &p.Targets[i]
		if len(t.Portals) == 0 && r.Host != "" {
			t.Portals = []Value[Portal]{{Portal{r.Host, r.Port}, from}}
		}
		return ignoredLUN(*t, r.LUN, from), nil
	case i >= 0:
		return []string{fmt.Sprintf("%s names target %s and is ignored: %s is used", from, showName(r.Name), p.Targets[i].Name.From)}, nil
	}
	return nil, p.useRootPath(r, from)
}

// ignoredLUN warns that DHCP's LUN is not used for a target that another source names: such a
// target without a LUN is searched for root, LUN 0 first.
func ignoredLUN(t Target, lun iscsi.LUN, from string) []string {
	if lun == t.LUN.V {
		return nil
	}
	return []string{fmt.Sprintf("lun %s is from %s and is ignored, because %s names the target: write iscsi_lun%s=%s if root is there",
		lun, from, t.Name.From, t.suffix(), lun)}
}

// useRootPath makes the target of a root path the plan's. It never weakens authentication: if
// secrets are configured, but none for this target by name, there is no login without a secret to
// the target that a DHCP server names, and its challenges are not answered.
func (p *Plan) useRootPath(r RootPath, from string) error {
	var common Target
	if len(p.Targets) > 0 && !isDefault(p.Targets[0].Name.From) {
		common = p.Targets[0] // without a name, or there would be no need for the root path
	}
	t := Target{Name: Value[string]{r.Name, from}, Group: common.Group, LUN: common.LUN, Portals: common.Portals}
	if r.HasLUN {
		t.LUN = orElse(t.LUN, Value[iscsi.LUN]{r.LUN, from})
	}
	if len(t.Portals) == 0 && r.Host != "" {
		t.Portals = []Value[Portal]{{Portal{r.Host, r.Port}, from}}
	}
	known := slices.ContainsFunc(p.Credentials, func(c Credential) bool { return strings.EqualFold(c.Target, r.Name) })
	if secret := p.secretFrom(); secret != "" && !known {
		return &AuthenticationError{Target: r.Name, From: from, Secret: secret}
	}
	p.Targets = []Target{t}
	return nil
}

// secretFrom names the source of a secret, "" if there is none.
func (p *Plan) secretFrom() string {
	for _, t := range p.Targets {
		if t.CHAP.Given() {
			return t.CHAP.from()
		}
	}
	if len(p.Credentials) > 0 {
		return CredentialsPath
	}
	return ""
}

// AuthenticationError reports that DHCP names a target without a secret although there are secrets
// for others.
type AuthenticationError struct {
	Target string
	From   string // the source of the target's name
	Secret string // the source of a secret
}

// Error implements error.
func (e *AuthenticationError) Error() string {
	return fmt.Sprintf("%s names target %s, and the secret in %s is not for it by name: write iscsi_t=%s, or put a line for it into %s",
		e.From, showName(e.Target), e.Secret, showName(e.Target), CredentialsPath)
}

// waitsForDHCP reports whether a DHCP server can name the target.
func (p Plan) waitsForDHCP() bool { return p.Net.Leased() }

// leftToDHCP lists what only a DHCP server can provide, and by which option.
func (p Plan) leftToDHCP() []string {
	if !p.waitsForDHCP() {
		return nil
	}
	var out []string
	for _, err := range p.check(true) {
		var m *MissingError
		if errors.As(err, &m) {
			option := 17
			if strings.HasPrefix(m.Key, "iscsi_i=") {
				option = 203
			}
			out = append(out, fmt.Sprintf("%s comes from DHCP option %d: write %s if the server does not send it", m.What, option, m.Key))
		}
	}
	return out
}

// checkTargets returns what is missing of the targets. What DHCP can provide is not missing, unless
// final is set.
func (p Plan) checkTargets(final bool) []error {
	targets := p.Targets
	named := slices.ContainsFunc(targets, func(t Target) bool { return t.Name.Given() })
	if !final && !named && p.waitsForDHCP() {
		return nil
	}
	if len(targets) == 0 {
		targets = []Target{{}}
	}
	var errs []error
	for _, t := range targets {
		if !t.Name.Given() {
			errs = append(errs, &MissingError{"iscsi_t" + t.suffix() + "=NAME", cmp.Or(p.missingName(), "the target name")})
		}
		if len(t.Portals) == 0 && (final || !p.waitsForDHCP()) {
			errs = append(errs, &MissingError{"iscsi_a" + t.suffix() + "=ADDRESS", "the target's address"})
		}
		if err := t.CHAP.check(t.Name.V, t.suffix()); err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// missingName describes the missing name where a DHCP server should have sent it.
func (p Plan) missingName() string {
	if p.ByDHCP.Given() {
		return "the target name, which " + p.ByDHCP.From + " leaves to DHCP,"
	}
	return ""
}
