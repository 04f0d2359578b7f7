package bootspec

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
	"github.com/iscsiroot/iscsiroot/pkg/ibft"
)

// DefaultPort is iSCSI's TCP port (RFC 7143 section 4.2.7.2).
const DefaultPort = 3260

// ParamError says which parameter cannot be understood and what to write.
type ParamError struct {
	Param cmdline.Param
	Cause string // what is wrong
	Write string // what to write instead

	limit bool // there are too many of them: the value itself can be read
	other bool // the value asks for another protocol than iSCSI over TCP
}

// Error implements error.
func (e *ParamError) Error() string {
	return fmt.Sprintf("parameter %s (byte %d of %s): %s: write %s", clip(e.Param.String()), e.Param.Pos, cmp.Or(e.Param.Origin, "the command line"), e.Cause, e.Write)
}

// MissingError says which parameter nobody gave.
type MissingError struct {
	Key  string
	What string
}

// Error implements error.
func (e *MissingError) Error() string {
	return fmt.Sprintf("%s is not given: write %s on the kernel command line", e.What, e.Key)
}

// Parse makes the plan from a command line, without the firmware's table.
func Parse(line cmdline.Line) (Plan, error) { return ParseWith(line, nil) }

// ParseWith makes the plan from a command line, to which Gather adds what the image says, and the
// firmware's table, nil if there is none. The error joins every ParamError found, so that all can
// be mended at once; the Plan is usable even then, as far as it was understood, so that the caller
// knows the policy to fail by.
func ParseWith(line cmdline.Line, table *ibft.Table) (Plan, error) {
	ps := &parser{known: NewVocabulary()}
	ps.words(line, func(cmdline.Param, fate) {})
	ps.ignoreRepeated()
	ps.plan.Targets = ps.merge(ps.targets())
	ps.nameBootNIC()
	ps.fromFirmware(table)
	ps.network()
	ps.checkTimers()
	ps.plan.Warnings = append(ps.plan.Warnings, ps.plan.withoutFirmware()...)
	ps.ignoreProtocols()
	ps.forgetDHCP()
	ps.warnUnsupported()
	ps.warnRAMDisk()
	return ps.plan, errors.Join(append(ps.faults.errors(), ps.plan.Net.checkBootNIC(), ps.checkNodes())...)
}

// words reads a line word by word and tells what became of each.
func (ps *parser) words(line cmdline.Line, tell func(cmdline.Param, fate)) {
	for _, p := range line.Params {
		row, target, known := ps.known.find(p.Key)
		became := refused
		switch {
		case !known && ps.bareSecret:
			became = answered // by the word before it: it may be its secret
		case !known:
			became = ps.foreign(p)
			ps.foreignModules(p)
		case row.Value != "" && row.Value[0] != '[' && !p.HasValue:
			ps.faults.add(row.Key, valueOf(row, target, p), &ParamError{Param: p, Cause: "it has no value", Write: p.Key + "=" + row.Value})
		default:
			ps.current, ps.touched = target, false
			err := misplaced(row, p)
			if err == nil {
				err = row.set(ps, p)
			}
			if err != nil {
				ps.faults.add(row.Key, valueOf(row, target, p), err)
				break
			}
			became = taken
			if ps.touched {
				ps.drafts[target].given = true
			}
			ps.mend(valueOf(row, target, p))
		}
		ps.bareSecret = ps.awaitsSecret(row, known, p)
		tell(p, became)
	}
}

// parser holds what several parameters say together.
type parser struct {
	known *Vocabulary

	plan    Plan
	drafts  [maxTargets]draft
	current int  // index of the target that the parameter is for, if it is
	touched bool // it is

	faults faults          // what cannot be understood
	nodes  []cmdline.Param // that name a disk that is not ours
	asked  []asked         // words for what is not supported, or against it
	ram    []cmdline.Param // root=/dev/ram0
	leaked bool            // the warning about secrets has been given

	bareSecret bool // the last word was a secret's parameter without a value

	netroots  []draft       // netroot=, root=iscsi:
	boot      Value[string] // BOOTIF=
	noBootif  bool          // rd.bootif=0
	crowded   bool          // there were too many lines of ip=
	mask      Value[string] // netmask=
	mtuGiven  Value[int]    // mtu=
	multipath bool          // rd.iscsi.mp
}

// target returns the target that the parameter is for.
func (ps *parser) target() *draft {
	ps.touched = true
	return &ps.drafts[ps.current]
}

// Check returns what is missing for a boot, a MissingError for each, and what cannot be done. What
// DHCP may still tell is not missing yet.
func (p Plan) Check() error {
	return errors.Join(slices.Concat(p.Net.checkDevices(), p.check(false))...)
}

// check returns what is missing; final: no DHCP server will tell it any more.
func (p Plan) check(final bool) []error {
	errs := p.checkFirmware(final)
	if !p.Net.hasAddress() {
		errs = append(errs, &MissingError{"iscsi_i_ip=ADDRESS/MASK", "this machine's address"})
	}
	if !p.Initiator.Given() && (final || !p.waitsForDHCP() && !p.MACNames && (p.UUID == "" || sharedUUID(p.UUID))) {
		errs = append(errs, &MissingError{"iscsi_i=NAME", "the initiator name"})
	}
	return append(errs, p.checkTargets(final)...)
}

// Resolve makes the Spec from the plan and what the network told. The warnings say what the facts
// make doubtful.
func (p Plan) Resolve(facts NetFacts) (Spec, []string, error) {
	if err := p.Check(); err != nil {
		return Spec{}, nil, err
	}
	return p.resolve(facts)
}

// Preview is Resolve for people: the plan with what the facts add to it, whether or not a machine
// can boot by it; the error says all that keeps it from that.
func (p Plan) Preview(facts NetFacts) (Plan, []string, error) {
	missing := p.Check()
	p.Targets = slices.Clone(p.Targets)
	said, err := p.addFacts(facts)
	if err = errors.Join(missing, err); err != nil {
		return p, said, err
	}
	if open := p.leftToDHCP(); len(open) > 0 {
		return p, append(said, open...), nil
	}
	spec, warnings, err := p.resolve(NetFacts{Interface: facts.Interface, MAC: facts.MAC, Address: facts.Address, Gateway: facts.Gateway, Networks: facts.Networks})
	for _, short := range ShortSecrets(spec.Targets, nil) { // at boot the login warns of them
		warnings = append(warnings, short.String())
	}
	return p, append(said, warnings...), err
}

// resolve is Resolve for a plan whatever the network can do.
func (p Plan) resolve(facts NetFacts) (Spec, []string, error) {
	p.Targets = slices.Clone(p.Targets)
	said, err := p.addFacts(facts)
	if err == nil {
		err = errors.Join(p.check(true)...)
	}
	if err != nil {
		return Spec{}, said, err
	}
	targets := slices.Clone(p.Targets)
	warnings, err := p.authenticate(targets)
	if err != nil {
		return Spec{}, nil, err
	}
	warnings = slices.Concat(said, p.Net.withoutEffect(), warnings)
	for i := range targets {
		targets[i].Portals = slices.Clone(targets[i].Portals)
		for j := range targets[i].Portals {
			warnings = append(warnings, p.Net.resolvePortal(&targets[i].Portals[j].V, facts)...)
		}
	}
	var servers []netip.Addr
	for _, n := range p.Net.Nameservers {
		servers = append(servers, n.V)
	}
	for _, a := range p.Net.peerDNS(facts) {
		if !slices.Contains(servers, a) {
			servers = append(servers, a)
		}
	}
	spec := Spec{
		Initiator:   p.Initiator.V,
		Targets:     targets,
		Login:       p.Login,
		Nameservers: servers,
		Root:        p.Root,
		Init:        p.Init,
		Policy:      p.Policy,
	}
	if !IsParameter(p.Initiator.From) {
		spec.InitiatorFrom = p.Initiator.From
	}
	return spec, warnings, nil
}

// resolvePortal says if an address cannot be reached, and gives one that is good on one link only
// the link that we have.
func (n Net) resolvePortal(portal *Portal, facts NetFacts) []string {
	addr, ok := portal.Addr()
	switch {
	case !ok || addr.IsLoopback() || !facts.Address.IsValid():
		return nil
	case addr.IsLinkLocalUnicast():
		// It is on the link whatever the mask says.
		if addr.Is6() && addr.Zone() == "" && facts.Interface != "" {
			portal.Host = addr.WithZone(facts.Interface).String()
		}
		return nil
	case facts.Address.Contains(addr) || facts.Gateway.IsValid() || contains(facts.Networks, addr) || n.routed(addr):
		return nil
	}
	return []string{fmt.Sprintf("target address %s is outside of this machine's network %s and no gateway is given: write iscsi_gw=ADDRESS, or correct the mask in iscsi_i_ip=",
		addr, facts.Address.Masked())}
}

// set stores a value and warns if another one was given before.
func set[T comparable](ps *parser, dst *Value[T], v T, p cmdline.Param) {
	if dst.Given() && dst.V != v && !inFile(dst.From) {
		ps.twice(dst.From, p)
	}
	*dst = Value[T]{v, source(p)}
}

// twice warns of a second value; p must be no secret.
func (ps *parser) twice(from string, p cmdline.Param) {
	ps.warnf("%s is given twice with different values, the last one is used: %s", strings.TrimSuffix(from, "="), showWord(p))
}

func (ps *parser) warnf(format string, args ...any) {
	ps.plan.Warnings = append(ps.plan.Warnings, fmt.Sprintf(format, args...))
}

// source names a parameter as the origin of a value.
func source(p cmdline.Param) string {
	from := p.Key
	if p.HasValue {
		from += "="
	}
	if p.Origin != "" {
		from += " in " + p.Origin
	}
	return from
}
