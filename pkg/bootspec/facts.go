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

// NetFacts is what only the network tells; package network fills it.
type NetFacts struct {
	Interface string
	// MAC is the interface's, as 52:54:00:12:34:56; empty if it has none.
	MAC     string
	Address netip.Prefix
	Gateway netip.Addr // zero if there is no default route
	// Networks are those that need no gateway, beside that of Address.
	Networks []netip.Prefix
	// Nameservers are those that the network named; the command line's come before them.
	Nameservers []netip.Addr
	// RootPath is DHCP's option 17, any bytes; empty if there was none.
	RootPath string
	// Initiator is iPXE's option 203, an iSCSI name; empty if there was none.
	Initiator string
	// HostName is DHCP's option 12; empty if there was none.
	HostName string
	// Server is who gave them; not valid if that is unknown.
	Server netip.Addr
}

// LeaseFacts returns what leases say of the boot. The first is that of the boot; what it does not
// say counts from the others.
func LeaseFacts(leases ...dhcp.Lease) NetFacts {
	var f NetFacts
	for i, l := range leases {
		if i == 0 {
			f.Interface, f.Address, f.Server = l.Interface, l.Address, l.Server
		} else if l.Address.IsValid() {
			f.Networks = append(f.Networks, l.Address.Masked())
		}
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

// WantsRootPath tells whether a DHCP server is to name the target, or where it is.
func (p Plan) WantsRootPath() bool {
	return p.waitsForDHCP() && !slices.ContainsFunc(p.Targets, func(t Target) bool {
		return t.Name.Given() && !low(t.Name.From) && len(t.Portals) > 0
	})
}

// NeedsRootPath tells whether there is no target to boot from unless a DHCP server names it. The
// image's default is one, but where a word above it leaves the target to DHCP.
func (p Plan) NeedsRootPath() bool {
	if !p.WantsRootPath() {
		return false
	}
	incomplete := func(t Target) bool { return !t.Name.Given() || len(t.Portals) == 0 }
	return len(p.Targets) == 0 || slices.ContainsFunc(p.Targets, incomplete) || p.ByDHCP.Given() && !low(p.ByDHCP.From)
}

// source names a DHCP option as the origin of a value.
func (f NetFacts) source(option int) string {
	from := fmt.Sprintf("DHCP option %d", option)
	if f.Server.IsValid() {
		from += " from " + f.Server.String()
	}
	return from
}

// addFacts gives the plan what DHCP says of target and initiator. A target it names only if nobody
// above the image's default does.
func (p *Plan) addFacts(f NetFacts) (warnings []string, err error) {
	if f.Initiator != "" && (!p.Initiator.Given() || low(p.Initiator.From)) {
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

// addRootPath takes DHCP's root path for the target. The same text may be in dracut's form, whose
// LUN is hex here too: it is what iPXE read.
func (p *Plan) addRootPath(f NetFacts) (warnings []string, err error) {
	from := f.source(17)
	i := slices.IndexFunc(p.Targets, func(t Target) bool { return t.Name.Given() && !low(t.Name.From) })
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
		return lunOfDHCP(*t, r.LUN, from), nil
	case i >= 0:
		return []string{fmt.Sprintf("%s names target %s and is ignored: %s is used", from, showName(r.Name), p.Targets[i].Name.From)}, nil
	}
	return nil, p.takeRootPath(r, from)
}

// lunOfDHCP says that DHCP's LUN does not count for a target that another source names: named
// without one, its LUN is the one that has root, 0 first.
func lunOfDHCP(t Target, lun iscsi.LUN, from string) []string {
	if lun == t.LUN.V {
		return nil
	}
	return []string{fmt.Sprintf("lun %s is from %s and is ignored, because %s names the target: write iscsi_lun%s=%s if root is there",
		lun, from, t.Name.From, t.suffix(), lun)}
}

// takeRootPath makes the target of a root path the plan's. It never weakens authentication: who set
// a secret up for another target, or for none by name, does not want to log in without one to
// whatever a DHCP server names, nor to answer its challenges.
func (p *Plan) takeRootPath(r RootPath, from string) error {
	var common Target
	if len(p.Targets) > 0 && !low(p.Targets[0].Name.From) {
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

// secretFrom names who set a secret up, "" if nobody did.
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

// AuthenticationError says that DHCP names a target that no secret is for, where there are secrets.
type AuthenticationError struct {
	Target string
	From   string // who names the target
	Secret string // who gives a secret
}

// Error implements error.
func (e *AuthenticationError) Error() string {
	return fmt.Sprintf("%s names target %s, and the secret in %s is not for it by name: write iscsi_t=%s, or put a line for it into %s",
		e.From, showName(e.Target), e.Secret, showName(e.Target), CredentialsPath)
}

// waitsForDHCP tells whether a DHCP server can still name the target.
func (p Plan) waitsForDHCP() bool { return p.Net.Leased() }

// leftToDHCP says what only a server can still tell, and by which option.
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

// checkTargets says what is missing of the targets. What DHCP may still say is not, unless it is
// settled that nothing more comes.
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

// missingName says why the name is missing where a server should have told it.
func (p Plan) missingName() string {
	if p.ByDHCP.Given() {
		return "the target name, which " + p.ByDHCP.From + " leaves to DHCP,"
	}
	return ""
}
