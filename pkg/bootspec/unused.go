package bootspec

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

// addLink adds the networks of a lease to those of its interface.
func (f *NetFacts) addLink(l dhcp.Lease) {
	at := slices.IndexFunc(f.Links, func(have LinkFacts) bool { return have.Name == l.Interface })
	if at < 0 {
		at = len(f.Links)
		f.Links = append(f.Links, LinkFacts{Name: l.Interface})
	}
	link := &f.Links[at]
	if l.Address.IsValid() {
		link.Networks = append(link.Networks, l.Address.Masked())
	}
	for _, r := range l.Routes {
		if !r.Via.IsValid() {
			link.Networks = append(link.Networks, r.To)
		}
	}
}

// ReadMACs sets the MACs of the interfaces; mac reads that of one by its name.
func (f *NetFacts) ReadMACs(mac func(name string) string) {
	f.MAC = mac(f.Interface)
	for i := range f.Links {
		f.Links[i].MAC = mac(f.Links[i].Name)
	}
}

// nameOf returns the name of the interface of a path, or of the boot; "" if it is not known.
func (f NetFacts) nameOf(nic Value[NIC]) string {
	if !nic.Given() {
		return f.Interface
	}
	for _, l := range f.Links {
		if nic.V.MAC != "" && l.MAC == nic.V.MAC {
			return l.Name
		}
	}
	return nic.V.Name
}

// networksOf returns the networks on the link of a NIC, as far as the facts and the lines of ip=
// tell.
func (p Plan) networksOf(nic NIC, facts NetFacts) (out []netip.Prefix) {
	for _, l := range facts.Links {
		if l.Name == nic.Name || l.MAC != "" && l.MAC == nic.MAC {
			out = append(out, l.Networks...)
		}
	}
	for _, v := range p.Net.Lines() {
		if v.V.Address.IsValid() && p.Net.isForNIC(v.V, nic.String()) {
			out = append(out, v.V.Address.Masked())
		}
	}
	return out
}

// mayReach reports whether the portal of a path may be in the network of any NIC: it is, or there
// are lines of ip= whose networks are not known yet.
func (p Plan) mayReach(addr netip.Addr, facts NetFacts) bool {
	for _, v := range p.Net.Lines() {
		known := v.V.Address.IsValid() || slices.ContainsFunc(facts.Links, func(l LinkFacts) bool {
			return p.Net.isForNIC(v.V, l.Name) || l.MAC != "" && p.Net.isForNIC(v.V, l.MAC)
		})
		if v.V.Address.Contains(addr) || !known {
			return true
		}
	}
	return false
}

// MarkUnused sets Unused in those of the plan's sessions that are paths from a NIC that does not
// have the network of the portal, where another NIC has it. It can be called again with more facts.
func (p Plan) MarkUnused(sessions []Target, facts NetFacts) {
	for i := range sessions {
		t := &sessions[i]
		addr, ok := t.pathAddr()
		if !ok || p.leads(t.NIC.V, addr, facts) != leadsElsewhere {
			continue
		}
		for _, other := range sessions {
			if at, ok := other.pathAddr(); ok && other.Name.V == t.Name.V && at == addr && p.leads(other.NIC.V, addr, facts) == leadsThere {
				t.Unused = fmt.Sprintf("%s is not in the network of %s, but in that of %s", addr, t.NIC.V, other.NIC.V)
			}
		}
	}
}

// pathAddr is the address of the portal of a path from a NIC.
func (t *Target) pathAddr() (netip.Addr, bool) {
	if !t.Multipath.V || !t.NIC.Given() || len(t.Portals) != 1 {
		return netip.Addr{}, false
	}
	addr, ok := t.Portals[0].V.Addr()
	return addr, ok && !addr.IsLinkLocalUnicast() && !addr.IsLoopback()
}

// reach is whether a NIC leads to an address.
type reach int

const (
	leadsUnknown reach = iota
	leadsThere
	leadsElsewhere
)

// leads reports whether an address is in a network of a NIC. Without an address of its family it is
// not known.
func (p Plan) leads(nic NIC, addr netip.Addr, facts NetFacts) reach {
	out := leadsUnknown
	for _, n := range p.networksOf(nic, facts) {
		switch {
		case n.Contains(addr):
			return leadsThere
		case n.Addr().Is4() == addr.Is4():
			out = leadsElsewhere
		}
	}
	return out
}
