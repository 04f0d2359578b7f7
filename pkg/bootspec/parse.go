package bootspec

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// DefaultPort is iSCSI's TCP port (RFC 7143 section 4.2.7.2).
const DefaultPort = 3260

// ParamError says which parameter cannot be understood and what to write.
type ParamError struct {
	Param cmdline.Param
	Cause string // what is wrong
	Write string // what to write instead
}

// Error implements error.
func (e *ParamError) Error() string {
	return fmt.Sprintf("parameter %s (byte %d of the command line): %s: write %s", clip(e.Param.String()), e.Param.Pos, e.Cause, e.Write)
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

// Parse makes the plan from a command line. The error joins every ParamError
// found, so that all can be mended at once; the Plan is usable even then, as
// far as it was understood, so that the caller knows the policy to fail by.
func Parse(line cmdline.Line) (Plan, error) {
	ps := &parser{}
	table := map[string]Parameter{}
	for _, p := range Table() {
		table[p.Key] = p
		if p.Alias != "" {
			table[p.Alias] = p
		}
	}
	var errs []error
	for _, p := range line.Params {
		row, known := table[p.Key]
		switch {
		case known && row.Value != "" && row.Value[0] != '[' && !p.HasValue:
			errs = append(errs, &ParamError{p, "it has no value", p.Key + "=" + row.Value})
		case known:
			if err := row.set(ps, p); err != nil {
				errs = append(errs, err)
			}
		case looksOurs(p.Key):
			ps.warnf("%s", unknown(p))
		}
	}
	ps.finish()
	return ps.plan, errors.Join(append(errs, ps.checkNodes())...)
}

// parser holds what several parameters say together.
type parser struct {
	plan     Plan
	addr     Value[netip.Addr] // iscsi_a
	addrPort Value[uint16]     // port written behind iscsi_a's address
	portnum  Value[uint16]     // iscsi_p

	nodes []cmdline.Param // that name a disk that is not ours
}

// finish puts address and port together.
func (ps *parser) finish() {
	if !ps.addr.Given() {
		return
	}
	port := ps.portnum.Or(ps.addrPort.Or(DefaultPort))
	from := ps.addr.From
	if ps.portnum.Given() {
		from += ", " + ps.portnum.From
		if ps.addrPort.Given() && ps.addrPort.V != port {
			ps.warnf("the port in %s and %s differ, the latter counts: %d", ps.addrPort.From, ps.portnum.From, port)
		}
	}
	ps.plan.Target.Portal = Value[netip.AddrPort]{netip.AddrPortFrom(ps.addr.V, port), from}
}

// Check returns what is missing for a boot: a MissingError for each.
func (p Plan) Check() error {
	var errs []error
	miss := func(given bool, key, what string) {
		if !given {
			errs = append(errs, &MissingError{key, what})
		}
	}
	miss(p.Net.Address.Given(), "iscsi_i_ip=ADDRESS/MASK", "this machine's address")
	miss(p.Initiator.Given(), "iscsi_i=NAME", "the initiator name")
	miss(p.Target.Name.Given(), "iscsi_t=NAME", "the target name")
	miss(p.Target.Portal.Given(), "iscsi_a=ADDRESS", "the target's address")
	return errors.Join(errs...)
}

// Resolve makes the Spec from the plan and what the network told.
// The warnings say what the facts make doubtful.
func (p Plan) Resolve(facts NetFacts) (Spec, []string, error) {
	if err := p.Check(); err != nil {
		return Spec{}, nil, err
	}
	var warnings []string
	// A link-local address is on the link whatever the mask says.
	portal := p.Target.Portal.V.Addr()
	near := facts.Address.Contains(portal) || portal.IsLinkLocalUnicast() || portal.IsLoopback()
	if facts.Address.IsValid() && !near && !facts.Gateway.IsValid() {
		warnings = append(warnings, fmt.Sprintf("target address %s is outside of this machine's network %s and no gateway is given: write iscsi_gw=ADDRESS, or mend the mask in iscsi_i_ip=",
			portal, facts.Address.Masked()))
	}
	return Spec{
		Initiator: p.Initiator.V,
		Targets:   []Target{p.Target},
		Root:      p.Root,
		Init:      p.Init,
		Policy:    p.Policy,
	}, warnings, nil
}

// set stores a value and warns if another one was given before.
func set[T comparable](ps *parser, dst *Value[T], v T, p cmdline.Param) {
	if dst.Given() && dst.V != v {
		ps.warnf("%s is given twice with different values, the last one counts: %s", strings.TrimSuffix(dst.From, "="), clip(p.String()))
	}
	*dst = Value[T]{v, source(p)}
}

func (ps *parser) warnf(format string, args ...any) {
	ps.plan.Warnings = append(ps.plan.Warnings, fmt.Sprintf(format, args...))
}

func source(p cmdline.Param) string {
	if p.HasValue {
		return p.Key + "="
	}
	return p.Key
}
