package ibft

import (
	"fmt"
	"net/netip"
	"strings"
)

// String tells the table in words, a line for each structure, without secrets.
func (t Table) String() string {
	var lines []string
	if t.OEM != "" || t.Model != "" {
		lines = append(lines, strings.TrimSpace("firmware "+t.OEM+" "+t.Model))
	}
	if t.Initiator.Name != "" {
		lines = append(lines, "initiator "+t.Initiator.Name)
	}
	for i, n := range t.NICs {
		lines = append(lines, fmt.Sprintf("NIC %d: %s", i, n))
	}
	for i, g := range t.Targets {
		lines = append(lines, fmt.Sprintf("target %d: %s", i, g))
	}
	return strings.Join(lines, "\n")
}

// booted marks what the firmware booted by.
func booted(f Flags) string {
	if f.Booted() {
		return ", booted by"
	}
	return ""
}

// String tells the NIC in words.
func (n NIC) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s at PCI %s", n.HardwareAddr(), n.PCI)
	if n.VLAN != 0 {
		fmt.Fprintf(&b, ", VLAN %d", n.VLAN)
	}
	if p, ok := n.Prefix(); ok {
		fmt.Fprintf(&b, ", address %s by %s", p, n.Origin)
	} else if n.Address.IsValid() {
		fmt.Fprintf(&b, ", address %s without a mask by %s", n.Address, n.Origin)
	}
	for _, a := range []struct {
		what string
		addr netip.Addr
	}{{"gateway", n.Gateway}, {"DNS", n.DNS}, {"DNS", n.DNS2}, {"DHCP server", n.DHCP}} {
		if a.addr.IsValid() {
			fmt.Fprintf(&b, ", %s %s", a.what, a.addr)
		}
	}
	if n.HostName != "" {
		b.WriteString(", host name " + n.HostName)
	}
	return b.String() + booted(n.Flags)
}

// String tells the target in words, without secrets.
func (g Target) String() string {
	s := fmt.Sprintf("%s at %s, LUN %s, by NIC %d, %s", g.Name, g.Portal, g.LUN, g.NIC, g.CHAP)
	if g.User != "" {
		s += " as " + g.User
	}
	if g.ReverseUser != "" {
		s += " of " + g.ReverseUser
	}
	return s + booted(g.Flags)
}
