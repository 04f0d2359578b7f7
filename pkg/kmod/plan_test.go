package kmod

import (
	"errors"
	"io/fs"
	"testing"
)

func TestPlanOrder(t *testing.T) {
	for _, c := range []struct{ name, dep, soft, ask, want string }{
		{"direct dependencies only", "a.ko: b.ko\nb.ko: c.ko\nc.ko:\n", "", "a", "c.ko\nb.ko\na.ko\n"},
		{"nearest first, as depmod", "a.ko: b.ko c.ko\nb.ko: c.ko\nc.ko:\n", "", "a", "c.ko\nb.ko\na.ko\n"},
		{"soft cycle", "a.ko:\nb.ko:\n", "softdep a pre: b\nsoftdep b pre: a\n", "a", "b.ko\na.ko\n"},
		{"post cycle", "a.ko:\nb.ko:\n", "softdep a post: b\nsoftdep b post: a\n", "a", "a.ko\nb.ko\n"},
		{"post of a dependency needs the root", "a.ko: d.ko\nd.ko:\np.ko: a.ko\n", "softdep d post: p\n", "a", "d.ko\na.ko\np.ko\n"},
		{"soft with a broken dependency", "a.ko:\ns.ko: gone.ko\n", "softdep a pre: s\n", "a", "s.ko\na.ko\n"},
		{"soft with a cycle", "a.ko:\ns.ko: u.ko\nu.ko: s.ko\n", "softdep a pre: s\n", "a", "u.ko\ns.ko\na.ko\n"},
	} {
		x, err := Read(tree(map[string]string{depFile: c.dep, softdepFile: c.soft}))
		if err != nil {
			t.Fatal(err)
		}
		mods, err := x.Plan(c.ask)
		if err != nil || paths(mods) != c.want {
			t.Errorf("%s: %q, %v; want %q", c.name, paths(mods), err, c.want)
		}
	}
}

func TestPlanRefuses(t *testing.T) {
	for _, c := range []struct{ name, dep, want string }{
		{"cycle", "x.ko:\na.ko: b.ko\nb.ko: c.ko\nc.ko: b.ko\n", "modules.dep: line 3: module b depends on itself"},
		{"itself", "a.ko: a.ko\n", "modules.dep: line 1: module a depends on itself"},
		{"not in the tree", "a.ko: kernel/gone.ko\n", "modules.dep: line 1: dependency of a: module kernel/gone.ko: not in the module tree"},
	} {
		x, err := Read(tree(map[string]string{depFile: c.dep}))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := x.Plan("a"); err == nil || err.Error() != c.want {
			t.Errorf("%s: got %v, want %s", c.name, err, c.want)
		}
	}
	x, _ := Read(tree(map[string]string{depFile: "a.ko: gone.ko\n"}))
	if _, err := x.Plan("a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v is not fs.ErrNotExist", err)
	}
}

// Where Plan returns an error, Steps marks a step.
func TestStepsOfDamagedIndex(t *testing.T) {
	for _, c := range []struct{ name, dep, want string }{
		{"cycle", "r.ko: a.ko b.ko\na.ko: b.ko\nb.ko: a.ko\n", "a? b? r"},
		{"cycle through the root", "r.ko: a.ko\na.ko: r.ko\n", "a? r"},
		{"itself", "r.ko: r.ko\n", "r"},
		{"not in the tree", "r.ko: gone.ko a.ko gone.ko\na.ko:\n", "gone!? a r"},
	} {
		x, err := Read(tree(map[string]string{depFile: c.dep}))
		if err != nil {
			t.Fatal(err)
		}
		steps, err := x.Steps("r")
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, s := range steps {
			got += " " + s.Name
			if s.Path == "" {
				got += "!"
			}
			if s.Doubtful {
				got += "?"
			}
		}
		if got[1:] != c.want {
			t.Errorf("%s: %q, want %q", c.name, got[1:], c.want)
		}
	}
}
