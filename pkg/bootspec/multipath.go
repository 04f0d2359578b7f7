package bootspec

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Multipath says which sessions are paths to the same LUNs.
type Multipath struct {
	// On is whether there is a session for each portal of a target, and for each of NICs; not
	// given: only where the targets are named in a way that means it, see Plan.Sessions. False:
	// no disks are joined.
	On Value[bool]
	// NICs are the interfaces from which each portal gets a session; none: the kernel chooses.
	NICs []Value[NIC]
	// IDs are WWIDs whose disks are joined also where targets of different names have them, and
	// the WWID does not tell that they are the same LUN.
	IDs []Value[string]
}

// NIC names an interface by its name or its MAC.
type NIC struct {
	Name string
	MAC  string // as 52:54:00:12:34:56
}

// String returns the name or the MAC.
func (n NIC) String() string {
	if n.Name != "" {
		return n.Name
	}
	return n.MAC
}

// The ping timers of paths that no parameter gives. A path that does not answer is left after 5 s:
// I/O stands still for that long, and a target that is only busy answers sooner.
const (
	PathPingInterval = 2 * time.Second // a ping costs little, and there may be 32 paths
	PathPingTimeout  = 3 * time.Second // as while root is not mounted
)

// maxSessions is how many sessions a plan can have: 16 portals on two NICs.
const maxSessions = 32

// Sessions returns the sessions of the plan's targets, at most 32: one for each target, and for a
// target whose sessions are paths one for each portal and NIC, in the order of the portals and of
// the NICs, also for a NIC that is absent. Their number and order are the same at every boot of a
// plan, and so are the ISIDs. A path has one portal, and has Multipath set.
func (p Plan) Sessions() []Target {
	all := p.sessions()
	return all[:min(len(all), maxSessions)]
}

func (p Plan) sessions() []Target {
	var out []Target
	for i := range p.Targets {
		out = append(out, p.paths(&p.Targets[i])...)
	}
	return out
}

// paths returns the sessions of one target.
func (p Plan) paths(t *Target) []Target {
	one, on := *t, t.Multipath
	if p.Multipath.On.Given() {
		on = p.Multipath.On
	}
	one.Multipath, one.PortalNICs = Value[bool]{}, nil
	if !on.V {
		one.Portals = distinct(t.Portals)
		return []Target{one}
	}
	one.Multipath = on
	if len(t.Portals) == 0 {
		return []Target{one}
	}
	var out []Target
	for i, portal := range t.Portals {
		one.Portals = []Value[Portal]{portal}
		for _, nic := range p.nicsTo(t, i) {
			one.NIC = nic
			if !slices.ContainsFunc(out, one.samePath) {
				out = append(out, one)
			}
		}
	}
	return out
}

// nicsTo returns the interfaces from which a portal of a target gets a session: one that is not
// given, if the kernel chooses.
func (p Plan) nicsTo(t *Target, portal int) []Value[NIC] {
	switch {
	case portal < len(t.PortalNICs) && t.PortalNICs[portal].Given():
		return t.PortalNICs[portal : portal+1]
	case p.Multipath.On.V && len(p.Multipath.NICs) > 0:
		return p.Multipath.NICs
	}
	return []Value[NIC]{{}}
}

// SameLUNs reports whether sessions of two targets may be paths to the same LUNs: their names are
// equal, and not each has a LUN of its own. iSCSI names have no upper case (RFC 3722).
func (t *Target) SameLUNs(other *Target) bool {
	return strings.EqualFold(t.Name.V, other.Name.V) && !(t.LUN.Given() && other.LUN.Given() && t.LUN.V != other.LUN.V)
}

// samePath reports whether two paths of a target have the same portal and NIC.
func (t *Target) samePath(other Target) bool {
	return t.Portals[0].V == other.Portals[0].V && t.NIC.V == other.NIC.V
}

// distinct returns a list without the portals that are in it before.
func distinct(portals []Value[Portal]) []Value[Portal] {
	var out []Value[Portal]
	for _, v := range portals {
		if !slices.ContainsFunc(out, func(have Value[Portal]) bool { return have.V == v.V }) {
			out = append(out, v)
		}
	}
	return out
}

// checkSessions returns an error if there are too many sessions.
func (p Plan) checkSessions() []error {
	n := len(p.sessions())
	if n <= maxSessions {
		return nil
	}
	var words []string
	for _, t := range p.sessions() {
		if from := t.Multipath.From; from != "" && !slices.Contains(words, from) {
			words = append(words, from)
		}
	}
	return []error{fmt.Errorf("%s: %d sessions, limit %d: name fewer portals or NICs", strings.Join(words, ", "), n, maxSessions)}
}
