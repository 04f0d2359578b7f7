package bootspec

import "slices"

// multipathPlan completes which sessions are paths once all targets and lines of ip= are known.
func (ps *parser) multipathPlan() {
	m := &ps.plan.Multipath
	m.NICs, m.IDs = highestLevel(m.NICs), highestLevel(m.IDs)
	ps.sameTargets()
	switch {
	case m.On.Given() && !m.On.V:
		ps.warnSwitchedOff()
	case m.On.V && len(m.NICs) == 0:
		m.NICs = ps.lineNICs()
	}
	ps.warnIdleNICs()
}

// sameTargets makes paths of the sessions of targets that have the same name, unless each has a LUN
// of its own.
func (ps *parser) sameTargets() {
	targets := ps.plan.Targets
	for i := range targets {
		for j := range targets[:i] {
			a, b := &targets[j], &targets[i]
			if !b.Name.Given() || !a.SameLUNs(b) {
				continue
			}
			on := Value[bool]{true, b.Name.From}
			a.Multipath, b.Multipath = orElse(a.Multipath, on), orElse(b.Multipath, on)
		}
	}
}

// lineNICs returns the NICs of the lines of ip=, in the order in which they are written, which no
// boot loader's BOOTIF= changes; none if there is only one.
func (ps *parser) lineNICs() (out []Value[NIC]) {
	for _, v := range ps.plan.Net.IP {
		if configures(v) && v.V.named() {
			out = append(out, Value[NIC]{nicOfLine(v.V), v.From})
		}
	}
	if len(out) < 2 {
		return nil
	}
	return out[:min(len(out), maxPathNICs)]
}

// nicOfLine is the NIC of a line. A MAC selects it; Device is what the line calls it then.
func nicOfLine(ip IP) NIC {
	if ip.MAC != "" {
		return NIC{MAC: ip.MAC}
	}
	return NIC{Name: ip.Device}
}

// warnSwitchedOff warns of targets that are given with several portals as dracut makes paths of
// them: their portals are tried one after the other.
func (ps *parser) warnSwitchedOff() {
	for _, t := range ps.plan.Targets {
		if t.Multipath.V {
			ps.warnf("%s asks for several paths to target %s, and %s switches them off: one session is made for each target", t.Multipath.From, showName(t.Name.V), show(ps.plan.Multipath.On.From))
		}
	}
}

// warnIdleNICs warns of NICs of paths that no line of ip= configures.
func (ps *parser) warnIdleNICs() {
	var warned []NIC
	for _, t := range ps.plan.Sessions() {
		nic := t.NIC
		if !nic.Given() || slices.Contains(warned, nic.V) || ps.configured(nic.V) {
			continue
		}
		warned = append(warned, nic.V)
		ps.warnf("%s names the NIC %s for a path, and no ip= configures it: write ip=%s:dhcp, or its address", nic.From, nic.V, nic.V)
	}
}

// configured reports whether a NIC may get an address.
func (ps *parser) configured(nic NIC) bool {
	n := &ps.plan.Net
	if n.Interface.Given() && n.Interface.V == nic.Name || n.MAC.Given() && (n.MAC.V == nic.MAC || n.MAC.V == n.macOf(nic.Name)) {
		return true
	}
	return slices.ContainsFunc(n.Lines(), func(v Value[IP]) bool {
		return !v.V.named() && v.V.Leased() || ps.isForNIC(v.V, nic.String())
	})
}

// namedNICs are those that paths are to use by iscsi_multipath= or netroot=.
func (ps *parser) namedNICs() (out []NIC) {
	add := func(list []Value[NIC]) {
		for _, v := range list {
			if v.Given() && !slices.Contains(out, v.V) {
				out = append(out, v.V)
			}
		}
	}
	add(highestLevel(ps.plan.Multipath.NICs))
	for _, t := range ps.plan.Targets {
		add(t.PortalNICs)
	}
	return out
}
