package lvm_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
	"github.com/iscsiroot/iscsiroot/pkg/lvm"
)

// without is a case's VG when disks are not there.
func without(t *testing.T, name string, places ...string) *lvm.Group {
	t.Helper()
	all := slices.DeleteFunc(found(t, name), func(f lvm.Found) bool { return slices.Contains(places, f.Place) })
	groups, problems := lvm.Assemble(all)
	if len(groups) != 1 || len(problems) > 0 {
		t.Fatal(groups, problems)
	}
	return &groups[0]
}

// Only the PVs of the LV itself have to be there.
func TestMissing(t *testing.T) {
	g := without(t, "areas", "254:0")
	_, err := g.Plan("root", lvm.Options{Degraded: true})
	var m *lvm.MissingError
	if !errors.As(err, &m) || len(m.PVs) != 1 || m.PVs[0].ID != g.Missing[0].ID || m.Degradable ||
		!strings.Contains(err.Error(), "logical volume vg/root: physical volumes are missing: "+m.PVs[0].ID.String()+" (once /dev/vda)") {
		t.Error(err)
	}
	if _, err := without(t, "areas", "254:32", "254:48").Plan("root", lvm.Options{}); err != nil {
		t.Error(err)
	}
}

// Which levels can do without which disks: every leg of the LVs is on a disk of its own.
func TestDegraded(t *testing.T) {
	for _, c := range []struct {
		lv   string
		legs []int
		ok   bool
	}{
		{"r0", []int{0}, false},
		{"r0m", []int{1}, false},
		{"r1", []int{0, 2}, true},
		{"r1", []int{0, 1, 2}, false},
		{"r4", []int{1}, true},
		{"r4", []int{0, 1}, false},
		{"r5", []int{2}, true},
		{"r5n", []int{1, 2}, false},
		{"r6", []int{0, 1}, true},
		{"r6nr", []int{0, 1, 2}, false},
		{"r10", []int{0, 3}, true},
		{"r10", []int{0, 1}, false},
	} {
		disks := legDisks(t, c.lv)
		var gone []string
		for _, i := range c.legs {
			gone = append(gone, disks[i])
		}
		g := onlyWith(t, "raid", gone)
		_, err := g.Plan(c.lv, lvm.Options{})
		var m *lvm.MissingError
		if !errors.As(err, &m) || len(m.PVs) != len(gone) || m.Degradable != c.ok {
			t.Errorf("%s without %v: %v", c.lv, c.legs, err)
			continue
		}
		volumes, err := g.Plan(c.lv, lvm.Options{Degraded: true})
		if (err == nil) != c.ok {
			t.Errorf("%s without %v: degraded: %v", c.lv, c.legs, err)
		}
		if err == nil {
			legsGone(t, volumes, len(disks), c.legs)
		}
	}
}

// legDisks are the disks of an LV's legs.
func legDisks(t *testing.T, lv string) []string {
	t.Helper()
	g := group(t, "raid")
	volumes, err := g.Plan(lv, lvm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, v := range volumes {
		if strings.Contains(v.Name, "_rimage_") {
			out = append(out, g.Found[v.Refs()[0].PV].Place)
		}
	}
	return out
}

// onlyWith drops disks. The metadata are on the first two, and all of the copies are the same: they
// are given to one that stays.
func onlyWith(t *testing.T, name string, gone []string) *lvm.Group {
	t.Helper()
	all := found(t, name)
	copies := all[slices.IndexFunc(all, func(f lvm.Found) bool { return len(f.PV.Copies) > 0 })].PV.Copies
	all = slices.DeleteFunc(all, func(f lvm.Found) bool { return slices.Contains(gone, f.Place) })
	all[0].PV.Copies = copies
	groups, problems := lvm.Assemble(all)
	if len(groups) != 1 || len(problems) > 0 {
		t.Fatal(groups, problems)
	}
	return &groups[0]
}

func legsGone(t *testing.T, volumes []lvm.Volume, legs int, gone []int) {
	t.Helper()
	tab, err := volumes[len(volumes)-1].Table(func(lvm.Ref) (table.Number, bool) { return table.Number{Major: 1}, true })
	if err != nil {
		t.Fatal(err)
	}
	w := strings.Fields(tab.String())
	w = w[len(w)-2*legs:]
	for i := range legs {
		if want := slices.Contains(gone, i); (w[2*i] == "-") != want || (w[2*i+1] == "-") != want {
			t.Errorf("legs %q, gone are %v", w, gone)
		}
	}
}

// lvm2 went on without the second PV, and noted that what is on it is old: it is not used, although
// it is there again.
func TestGivenUp(t *testing.T) {
	g := group(t, "degraded")
	groups, problems := lvm.Assemble(append(found(t, "degraded"), at("sdb", nil, g.Missing[0].ID)))
	if len(groups) != 1 || len(problems) > 0 || len(groups[0].Missing) > 0 {
		t.Fatal(groups, problems)
	}
	_, err := groups[0].Plan("root", lvm.Options{})
	var m *lvm.MissingError
	if !errors.As(err, &m) || !m.Degradable || !strings.Contains(err.Error(), "which lvm has given up: see vgextend --restoremissing") {
		t.Fatal(err)
	}
	volumes, err := groups[0].Plan("root", lvm.Options{Degraded: true})
	if err != nil {
		t.Fatal(err)
	}
	legsGone(t, volumes, 2, []int{1})
}
