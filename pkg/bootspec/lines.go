package bootspec

import (
	"net/netip"
	"slices"
)

// Lines returns the lines to bring up, that of the boot first: each has its NIC (or none: any), its
// methods and its other values. Package network brings them up, and Settings lists them. Lines that
// bring nothing up are left out, and those that request a firmware table that is missing.
func (n Net) Lines() []Value[IP] {
	out := slices.DeleteFunc(slices.Clone(n.IP), func(v Value[IP]) bool { return !configures(v) })
	boot := n.bootLine(out)
	if boot < 0 && n.Address.Given() {
		return slices.Insert(out, 0, n.complete(Value[IP]{IP{Methods: []Method{Static}}, n.Address.From}))
	}
	if boot >= 0 {
		v := n.complete(out[boot])
		out = slices.Insert(slices.Delete(out, boot, boot+1), 0, v)
	}
	for i := range out { // the MAC of its NIC, for each line
		if ip := &out[i].V; n.ClientID.V == macClientID && ip.ClientID == "" && slices.Contains(ip.Methods, DHCP) {
			ip.ClientID = macClientID
		}
	}
	return out
}

// bootLine returns the index of the line that the boot uses, as network has chosen it: the one with
// its address, or on its NIC, or the first. It is -1 if there is none.
func (n Net) bootLine(lines []Value[IP]) int {
	if n.Address.Given() {
		return slices.IndexFunc(lines, func(v Value[IP]) bool { return v.V.Address == n.Address.V })
	}
	names := func(v Value[IP]) bool {
		ip := v.V
		return n.MAC.Given() && (ip.MAC == n.MAC.V || n.macOf(ip.Device) == n.MAC.V) || n.Interface.Given() && ip.Device == n.Interface.V
	}
	if i := slices.IndexFunc(lines, names); i >= 0 {
		return i
	}
	if i := slices.IndexFunc(lines, func(v Value[IP]) bool { return v.V.named() }); i >= 0 {
		return i
	}
	return min(len(lines), 1) - 1
}

// macOf returns the MAC of a NIC that ifname= names, "" for others.
func (n Net) macOf(name string) string {
	for _, v := range n.Names {
		if v.V.Name == name {
			return v.V.MAC
		}
	}
	return ""
}

// complete adds the values of other parameters to the line of the boot.
func (n Net) complete(v Value[IP]) Value[IP] {
	ip := &v.V
	switch {
	case n.MAC.Given() && ip.MAC == n.MAC.V: // Device is what the line calls it
	case n.MAC.Given():
		ip.MAC, ip.Device = n.MAC.V, ""
	case n.Interface.Given():
		ip.MAC, ip.Device = "", n.Interface.V
	}
	if n.Address.Given() {
		ip.Address = n.Address.V
	}
	if n.Gateway.Given() {
		ip.Gateway = n.Gateway.V
	}
	if n.ClientID.Given() {
		ip.ClientID = n.ClientID.V
	}
	others := func(other Value[IP]) bool { return other.From == n.HostName.From && other.From != v.From }
	if n.HostName.Given() && !slices.ContainsFunc(n.IP, others) {
		ip.HostName = n.HostName.V
	}
	return v
}

// Facts returns what is known of the network before it is up: its static addresses, if it has no
// others.
func (n Net) Facts() NetFacts {
	f := NetFacts{Address: n.Address.V, Gateway: n.Gateway.V, MAC: n.MAC.V}
	for i, v := range n.Lines() {
		switch {
		case v.V.Leased():
			return NetFacts{MAC: n.MAC.V}
		case i > 0 && v.V.Address.IsValid():
			f.Networks = append(f.Networks, v.V.Address.Masked())
		}
		if !f.Gateway.IsValid() {
			f.Gateway = v.V.Gateway
		}
	}
	return f
}

// Limit returns the limit of that name of rd.net.timeout.*; 0: there is none.
func (n Net) Limit(name string) (t Value[Timeout]) {
	for _, v := range n.Timeouts {
		if v.V.Name == name {
			t = v
		}
	}
	return t
}

// Leased reports whether an address of a line comes from a DHCP server or a router.
func (ip IP) Leased() bool {
	return slices.ContainsFunc(ip.Methods, func(m Method) bool { return m == DHCP || m == DHCP6 || m == Auto6 || m == Either6 })
}

// Leased reports whether any address comes from a DHCP server or a router.
func (n Net) Leased() bool {
	return slices.ContainsFunc(n.IP, func(v Value[IP]) bool { return v.V.Leased() })
}

// contains reports whether any of the networks has the address.
func contains(networks []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(a) })
}
