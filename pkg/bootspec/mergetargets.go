package bootspec

import "strings"

// merge joins the numbered targets with those of netroot=: one session for each name. Values of a
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

// joinTarget adds the values of another parameter for the same target, such as one more portal of
// its session.
func (ps *parser) joinTarget(dst *Target, t Target) {
	for _, p := range t.Portals {
		known := false
		for _, have := range dst.Portals {
			known = known || have.V == p.V
		}
		if !known && len(dst.Portals) < maxPortals {
			dst.Portals = append(dst.Portals, p)
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
