package bootspec_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// Lists add up under all of their names, parameters stand in their order, and the plan has the
// same.
func TestModules(t *testing.T) {
	line := cmdline.Parse("modprobe.blacklist=a-b,c, module_blacklist=n rd.driver.blacklist=c,d blacklist=e " +
		"rd.driver.pre=p,q-r rd.driver.pre=p rd.driver.post=z e1000.debug=16 module-blacklist=m " +
		`quiet rd.break left.a=1 left.b="two words" right.flag .x=1 y.=1 l-r.a=1 left.a=2 -- rd.driver.pre=no left.c=3`)
	want := bootspec.Modules{
		Params:    map[string]string{"e1000": "debug=16", "left": `a=1 "b=two words" a=2`, "right": "flag", "l_r": "a=1"},
		Blacklist: []string{"a_b", "c", "d", "e", "z"},
		Never:     []string{"n", "m"},
		Pre:       []string{"p", "q_r"},
		Post:      []string{"z"},
	}
	if diff := cmp.Diff(want, bootspec.ParseModules(line)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	plan, _ := bootspec.Parse(line)
	if diff := cmp.Diff(want, plan.Modules); diff != "" {
		t.Errorf("the plan: -want +got:\n%s", diff)
	}
}

// Parameters of a module come after its default, and take precedence; the plan's own value is not
// changed.
func TestModulesWithDefault(t *testing.T) {
	for text, want := range map[string]map[string]string{
		"quiet":                       {"bonding": "max_bonds=0"},
		"bonding.max_bonds=2 other.a": {"bonding": "max_bonds=0 max_bonds=2", "other": "a"},
	} {
		m := bootspec.ParseModules(cmdline.Parse(text))
		before := m.Params["bonding"]
		if diff := cmp.Diff(want, m.WithDefault("bonding", "max_bonds=0").Params); diff != "" || m.Params["bonding"] != before {
			t.Errorf("%s: %q, -want +got:\n%s", text, m.Params, diff)
		}
	}
}

// A secret whose parameter is mistyped, or that follows its name after a blank, is not in the plan.
func TestModulesHoldNoSecret(t *testing.T) {
	for _, text := range []string{"iscsi_w.12=sesame", "iscsi_w.2=sesame", "rd.iscsi.pasword=sesame", "iscsi_w my.sesame=1"} {
		plan, _ := bootspec.Parse(cmdline.Parse(text))
		if got := fmt.Sprintf("%+v", plan.Modules); strings.Contains(got, "sesame") {
			t.Errorf("%s: %s", text, got)
		}
	}
}

func FuzzModules(f *testing.F) {
	f.Add("modprobe.blacklist=a,b rd.driver.pre=c rd.driver.post=,d module_blacklist=e x.y=z")
	f.Fuzz(func(t *testing.T, text string) {
		m := bootspec.ParseModules(cmdline.Parse(text))
		for _, list := range [][]string{m.Blacklist, m.Never, m.Pre, m.Post} {
			for _, name := range list {
				if name == "" || strings.ContainsAny(name, "-,") {
					t.Errorf("name %q", name)
				}
			}
		}
	})
}
