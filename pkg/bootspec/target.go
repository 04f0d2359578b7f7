package bootspec

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// maxTargets is how many targets a command line can name: their numbers have one digit.
const maxTargets = 9

// maxPortals is how many addresses one target can have.
const maxPortals = 16

// Target is one iSCSI target and the portals to log in to.
type Target struct {
	// Number is that in the names of its parameters, from 1; 0 for a target that the command
	// line does not name.
	Number int
	Name   Value[string]
	// Portals are those of the target's session, the preferred one first, or of its paths.
	Portals []Value[Portal]
	// PortalNICs are the interfaces from which Portals are reached, by their index, where
	// the word that gives the portal names one. They count for paths: see Plan.Sessions.
	PortalNICs []Value[NIC]
	Group      Value[uint16]    // target portal group tag (TPGT) to expect
	LUN        Value[iscsi.LUN] // not given: all are searched for root, 0 first
	CHAP       CHAP
	// Multipath is set, with what asks for it, if the sessions are paths: their disks are those
	// of multipath maps, also if there is one session only. See Plan.Sessions.
	Multipath Value[bool]
	// NIC is the interface that a path's connection is bound to; not given: the kernel chooses.
	NIC Value[NIC]
	// Unused is why a path is not used, for messages: its NIC does not lead to its portal, and
	// another one does. Its session is reserved, and there is no login. Plan.Resolve sets it.
	Unused string
}

// Portal is an address and a TCP port of a target.
type Portal struct {
	Host string // IP address without brackets, or host name
	Port uint16
}

// Addr returns the address; ok is false for a host name.
func (p Portal) Addr() (addr netip.Addr, ok bool) {
	addr, err := netip.ParseAddr(p.Host)
	return addr, err == nil
}

// String returns the portal as RFC 7143 section 13.8 writes it.
func (p Portal) String() string {
	host := p.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return host + ":" + strconv.Itoa(int(p.Port))
}

// suffix returns the end of the names of the target's parameters.
func (t Target) suffix() string {
	if t.Number <= 1 {
		return ""
	}
	return "." + strconv.Itoa(t.Number)
}

// parsePortal reads HOST, HOST:PORT, [ADDRESS] and [ADDRESS]:PORT, with brackets for IPv6 only,
// which may be left out if no port follows. The port is 0 if there is none.
func parsePortal(s string) (Portal, bool) {
	if addr, err := netip.ParseAddr(s); err == nil {
		return Portal{addr.String(), 0}, isPortal(addr)
	}
	if inner, rest, ok := strings.Cut(strings.TrimPrefix(s, "["), "]"); ok && s[0] == '[' {
		addr, err := netip.ParseAddr(inner)
		port, ok := parsePort(rest)
		return Portal{addr.String(), port}, ok && err == nil && addr.Is6() && isPortal(addr)
	}
	host, rest := s, ""
	if i := strings.IndexByte(s, ':'); i >= 0 {
		host, rest = s[:i], s[i:]
	}
	port, ok := parsePort(rest)
	if addr, err := netip.ParseAddr(host); err == nil {
		return Portal{host, port}, ok && isPortal(addr)
	}
	return Portal{host, port}, ok && isHostName(host)
}

// parsePort reads ":PORT", or nothing.
func parsePort(s string) (uint16, bool) {
	if s == "" {
		return 0, true
	}
	n, err := strconv.ParseUint(strings.TrimPrefix(s, ":"), 10, 16)
	return uint16(n), err == nil && s[0] == ':' && n != 0
}

// isPortal reports whether a portal can have an address.
func isPortal(a netip.Addr) bool {
	return !a.Is4In6() && !a.IsUnspecified() && !a.IsMulticast() && len(a.Zone()) <= maxInterface && !strings.ContainsFunc(a.Zone(), func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"%/[]@`, r)
	})
}

// isHostName reports whether a text is a host name (RFC 1123 section 2.1, and underscores, which
// are in use). A name that ends in a number is a mistyped address.
func isHostName(s string) bool {
	s = strings.TrimSuffix(s, ".")
	if s == "" || len(s) > 253 {
		return false
	}
	labels := strings.Split(s, ".")
	for _, l := range labels {
		if l == "" || len(l) > 63 || l[0] == '-' || strings.ContainsFunc(l, func(r rune) bool {
			return r != '-' && r != '_' && (r < '0' || r > '9') && (r|0x20 < 'a' || r|0x20 > 'z')
		}) {
			return false
		}
	}
	_, err := strconv.ParseUint(labels[len(labels)-1], 10, 64)
	return err != nil
}

// draft is a target while its parameters are read.
type draft struct {
	Target
	key   string // of the parameter, for netroot= and the like
	given bool
	addrs []Value[Portal] // iscsi_a; port 0 where none is written
	port  Value[uint16]   // iscsi_p
}

// portals combines addresses and port. A target without addresses has those of the first one.
func (ps *parser) portals(d, first *draft) []Value[Portal] {
	addrs, port := d.addrs, d.port
	if len(addrs) == 0 {
		addrs = first.addrs
		if !port.Given() {
			port = first.port
		}
	}
	var out []Value[Portal]
	for _, a := range addrs {
		from := a.From
		if port.Given() {
			from += ", " + port.From
			if a.V.Port != 0 && a.V.Port != port.V {
				ps.warnf("the port in %s and %s differ, the latter is used: %d", a.From, port.From, port.V)
			}
		}
		if port.Given() || a.V.Port == 0 {
			a.V.Port = port.Or(DefaultPort)
		}
		out = append(out, Value[Portal]{a.V, from})
	}
	return out
}

// targets returns the targets of the numbered parameters, in the order of their numbers.
func (ps *parser) targets() []Target {
	var out []Target
	for i := range ps.drafts {
		d := &ps.drafts[i]
		if !d.given {
			continue
		}
		d.Number = i + 1
		d.Portals = ps.portals(d, &ps.drafts[0])
		out = append(out, d.Target)
	}
	return out
}
