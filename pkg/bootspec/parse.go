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

// ParamError reports a parameter that cannot be parsed, and what to write.
type ParamError struct {
	Param cmdline.Param
	Cause string // what is wrong
	Write string // what to write instead

	limit bool // there are too many of them: the value itself can be read
	other bool // the value requests another protocol than iSCSI over TCP
}

// Error implements error.
func (e *ParamError) Error() string {
	return fmt.Sprintf("parameter %s (byte %d of %s): %s: write %s", clip(e.Param.String()), e.Param.Pos, cmp.Or(e.Param.Origin, "the command line"), e.Cause, e.Write)
}

// MissingError reports a parameter that is required and not given.
type MissingError struct {
	Key  string
	What string
}

// Error implements error.
func (e *MissingError) Error() string {
	return fmt.Sprintf("%s is not given: write %s on the kernel command line", e.What, e.Key)
}

// Parse returns the plan of a command line, without the firmware's table.
func Parse(line cmdline.Line) (Plan, error) { return ParseWith(line, nil) }

// ParseWith returns the plan of a command line, to which Gather adds the image's parameters, and of
// the firmware's table, nil if there is none. The error joins every ParamError, so that all can be
// corrected together; with an error the Plan holds what could be parsed, such as the policy for
// failures.
func ParseWith(line cmdline.Line, table *ibft.Table) (Plan, error) {
	ps := &parser{known: NewVocabulary()}
	ps.words(line, func(cmdline.Param, outcome) {})
	ps.ignoreRepeated()
	ps.plan.Targets = ps.merge(ps.targets())
	ps.nameBootNIC()
	ps.fromFirmware(table)
	ps.network()
	ps.multipathPlan()
	ps.checkTimers()
	ps.plan.Warnings = append(ps.plan.Warnings, ps.plan.warnFirmware()...)
	ps.ignoreProtocols()
	ps.dropByDHCP()
	ps.warnUnsupported()
	ps.warnRAMDisk()
	return ps.plan, errors.Join(append(ps.faults.errors(), ps.plan.checkBootNIC(), ps.checkNodes())...)
}

// words reads a line word by word and reports the outcome of each.
func (ps *parser) words(line cmdline.Line, report func(cmdline.Param, outcome)) {
	for _, p := range line.Params {
		row, target, known := ps.known.find(p.Key)
		became := refused
		switch {
		case !known && ps.bareSecret:
			became = warned // with the word before it, whose secret it may be
		case !known:
			became = ps.otherWord(p)
			ps.moduleParameter(p)
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
			became = accepted
			if ps.touched {
				ps.drafts[target].given = true
			}
			ps.ignoreReplaced(valueOf(row, target, p))
		}
		ps.bareSecret = ps.awaitsSecret(row, known, p)
		report(p, became)
	}
}

// parser holds the state that several parameters share.
type parser struct {
	known *Vocabulary

	plan    Plan
	drafts  [maxTargets]draft
	current int  // index of the target that the parameter is for, if it is
	touched bool // it is

	faults         faults            // values that cannot be parsed
	nodes          []cmdline.Param   // that name a disk that is not an iSCSI disk
	unsupported    []unsupportedWord // words that request unsupported features, or switch them off
	ram            []cmdline.Param   // root=/dev/ram0
	readableWarned bool              // the warning of secrets on the command line has been given

	bareSecret bool // the last word was a secret's parameter without a value

	netroots     []draft       // netroot=, root=iscsi:
	boot         Value[string] // BOOTIF=
	noBootif     bool          // rd.bootif=0
	tooManyLines bool          // there were too many lines of ip=
	mask         Value[string] // netmask=
	mtuGiven     Value[int]    // mtu=
	allNICs      Value[bool]   // rd.iscsi.mp
}

// target returns the target that the parameter is for.
func (ps *parser) target() *draft {
	ps.touched = true
	return &ps.drafts[ps.current]
}

// Check returns a MissingError for every missing value of a boot, and errors of what cannot be
// done. What DHCP can provide is not missing.
func (p Plan) Check() error {
	return errors.Join(slices.Concat(p.Net.checkDevices(), p.check(false))...)
}

// check returns what is missing; final: no more comes from DHCP.
func (p Plan) check(final bool) []error {
	errs := append(p.checkFirmware(final), p.checkSessions()...)
	if !p.Net.hasAddress() {
		errs = append(errs, &MissingError{"iscsi_i_ip=ADDRESS/MASK", "this machine's address"})
	}
	if !p.Initiator.Given() && (final || !p.waitsForDHCP() && !p.MACNames && (p.UUID == "" || sharedUUID(p.UUID))) {
		errs = append(errs, &MissingError{"iscsi_i=NAME", "the initiator name"})
	}
	return append(errs, p.checkTargets(final)...)
}

// Resolve returns the Spec of the plan and the facts of the network, with warnings of what the
// facts make doubtful.
func (p Plan) Resolve(facts NetFacts) (Spec, []string, error) {
	if err := p.Check(); err != nil {
		return Spec{}, nil, err
	}
	return p.resolve(facts)
}

// Preview is Resolve for printing: it returns the plan with the facts added to it, whether or not a
// machine can boot with it; the error joins the reasons why it cannot.
func (p Plan) Preview(facts NetFacts) (Plan, []string, error) {
	missing := p.Check()
	p.Targets = slices.Clone(p.Targets)
	factWarnings, err := p.addFacts(facts)
	if err = errors.Join(missing, err); err != nil {
		return p, factWarnings, err
	}
	if open := p.leftToDHCP(); len(open) > 0 {
		return p, append(factWarnings, open...), nil
	}
	spec, warnings, err := p.resolve(NetFacts{Interface: facts.Interface, MAC: facts.MAC, Address: facts.Address, Gateway: facts.Gateway, Networks: facts.Networks, Links: facts.Links})
	for _, short := range ShortSecrets(spec.Targets, nil) { // during the boot the login warns of them
		warnings = append(warnings, short.String())
	}
	return p, append(factWarnings, warnings...), err
}

// resolve is Resolve without the checks before the network is up.
func (p Plan) resolve(facts NetFacts) (Spec, []string, error) {
	p.Targets = slices.Clone(p.Targets)
	factWarnings, err := p.addFacts(facts)
	if err == nil {
		err = errors.Join(p.check(true)...)
	}
	if err != nil {
		return Spec{}, factWarnings, err
	}
	targets := slices.Clone(p.Targets)
	warnings, err := p.authenticate(targets)
	if err != nil {
		return Spec{}, nil, err
	}
	warnings = slices.Concat(factWarnings, p.Net.ignoredTimeouts(), warnings)
	p.Targets = targets
	targets = p.Sessions()
	p.MarkUnused(targets, facts)
	for i := range targets {
		targets[i].Portals = slices.Clone(targets[i].Portals)
		for j := range targets[i].Portals {
			for _, w := range p.resolvePortal(&targets[i], j, facts) {
				warnings = appendNew(warnings, w)
			}
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
		Multipath:   p.Multipath,
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

// resolvePortal warns of an address that cannot be reached, and adds the NIC of the path or of the
// boot as the zone of a link-local one.
func (p Plan) resolvePortal(t *Target, i int, facts NetFacts) []string {
	portal, n := &t.Portals[i].V, p.Net
	addr, ok := portal.Addr()
	switch {
	case !ok || addr.IsLoopback() || !facts.Address.IsValid():
		return nil
	case addr.IsLinkLocalUnicast():
		// It is on the link with any mask.
		if nic := facts.nameOf(t.NIC); addr.Is6() && addr.Zone() == "" && nic != "" {
			portal.Host = addr.WithZone(nic).String()
		}
		return nil
	case t.Multipath.V && p.mayReach(addr, facts):
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

// twice warns of a second value; p must not be a secret.
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
