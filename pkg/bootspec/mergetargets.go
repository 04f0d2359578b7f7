package bootspec

import (
	"slices"
	"strings"
)

// merge joins the numbered targets with those of netroot=: one target for each name. Values of a
// target without a name apply to those of netroot= without such a value.
func (ps *parser) merge(numbered []Target) []Target {
	roots := ps.chosenRoots(numbered)
	if len(roots) == 0 {
		return numbered
	}
	if named := nameOf(numbered); named != "" && level(named) < level(roots[0].Name.From) {
		numbered = nil // a source of higher precedence overrules them
	}
	var common Target
	if len(numbered) > 0 && !numbered[0].Name.Given() {
		common, numbered = numbered[0], numbered[1:]
	}
	for _, d := range roots {
		t := d.Target
		if !t.CHAP.Given() {
			t.CHAP = common.CHAP
		}
		t.Group, t.LUN = orElse(t.Group, common.Group), orElse(t.LUN, common.LUN)
		if at := indexName(numbered, t.Name.V); at >= 0 {
			ps.joinTarget(&numbered[at], t)
		} else {
			numbered = append(numbered, t)
		}
	}
	return numbered
}

// chosenRoots leaves out what a source of higher precedence overrules: root=iscsi: takes precedence
// over netroot=, and iscsi_t= over the image's default.
func (ps *parser) chosenRoots(numbered []Target) []draft {
	rank := func(d draft) int {
		n := 2 * level(d.Name.From)
		if d.key == "root" {
			n++
		}
		return n
	}
	best := 0
	for _, d := range ps.netroots {
		best = max(best, rank(d))
	}
	if named := nameOf(numbered); named != "" && best/2 < level(named) {
		return nil
	}
	var out []draft
	for _, d := range ps.netroots {
		if rank(d) == best {
			out = append(out, d)
		} else if rank(d) == 2 {
			ps.warnf("%s is ignored: root=iscsi: and the image's policy take precedence", d.Name.From)
		}
	}
	return out
}

// nameOf returns the source of the first target's name.
func nameOf(targets []Target) string {
	for _, t := range targets {
		if t.Name.Given() {
			return t.Name.From
		}
	}
	return ""
}

func indexName(targets []Target, name string) int {
	for i, t := range targets {
		if strings.EqualFold(t.Name.V, name) {
			return i
		}
	}
	return -1
}

func orElse[T any](v, other Value[T]) Value[T] {
	if v.Given() {
		return v
	}
	return other
}

// joinTarget adds the values of another parameter for the same target. As in dracut each makes a
// session of its own: if it has another portal, or another NIC, they are paths.
func (ps *parser) joinTarget(dst *Target, t Target) {
	for i, p := range t.Portals {
		nic := t.portalNIC(i)
		if len(dst.Portals) < maxPortals && !dst.hasPortal(p.V, nic) {
			dst.addPortal(p, nic)
			dst.Multipath = orElse(dst.Multipath, Value[bool]{true, p.From})
		}
	}
	if dst.LUN.Given() && t.LUN.Given() && dst.LUN.V != t.LUN.V {
		ps.warnf("%s names LUN %s of the same target as %s, which is used: LUN %s", t.LUN.From, t.LUN.V, dst.LUN.From, dst.LUN.V)
	}
	dst.LUN, dst.Group = orElse(dst.LUN, t.LUN), orElse(dst.Group, t.Group)
	if !dst.CHAP.Given() {
		dst.CHAP = t.CHAP
	}
}

// portalNIC is the NIC for the i-th portal; not given: none is named.
func (t *Target) portalNIC(i int) (nic Value[NIC]) {
	if i < len(t.PortalNICs) {
		nic = t.PortalNICs[i]
	}
	return nic
}

// hasPortal reports whether the target has a portal, by that NIC if one is named.
func (t *Target) hasPortal(p Portal, nic Value[NIC]) bool {
	for i, have := range t.Portals {
		if have.V == p && (!nic.Given() || t.portalNIC(i).V == nic.V) {
			return true
		}
	}
	return false
}

// addPortal adds a portal and its NIC.
func (t *Target) addPortal(p Value[Portal], nic Value[NIC]) {
	t.Portals = append(t.Portals, p)
	if nic.Given() {
		t.PortalNICs = append(slices.Clip(t.PortalNICs), make([]Value[NIC], len(t.Portals)-len(t.PortalNICs))...)
		t.PortalNICs[len(t.Portals)-1] = nic
	}
}
