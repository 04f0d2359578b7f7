package drivers

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
	"github.com/iscsiroot/iscsiroot/pkg/kmod"
)

const goodLine = "iscsi_i=iqn.2007-01.com.example:a iscsi_i_ip=10.0.0.2/24 iscsi_t=iqn.2007-01.com.example:b iscsi_a=10.0.0.1"

// The module parameters of the image's files, the command line and the shell reach the loader, in
// the order by which the last one takes effect.
func TestModuleWords(t *testing.T) {
	const (
		defaults = "etc/iscsiroot/default"
		policy   = "etc/iscsiroot/policy"
		dracut   = "etc/cmdline.d/a.conf"
	)
	for _, tt := range []struct {
		name, line, shell string
		files             map[string]string
		want              bootspec.Modules
	}{
		{"none", "quiet", "", nil, bootspec.Modules{}},
		{"line", "e1000.debug=1 modprobe.blacklist=a", "", nil, bootspec.Modules{
			Params: map[string]string{"e1000": "debug=1"}, Blacklist: []string{"a"},
		}},
		{"policy overrides the line", "e1000.debug=1 module_blacklist=a", "", map[string]string{policy: "e1000.debug=2 module_blacklist=b"}, bootspec.Modules{
			Params: map[string]string{"e1000": "debug=1 debug=2"}, Never: []string{"a", "b"},
		}},
		{"the line overrides the default", "e1000.debug=1", "", map[string]string{defaults: "e1000.debug=2 rd.driver.pre=c", dracut: "e1000.debug=3 rd.driver.post=d"}, bootspec.Modules{
			Params: map[string]string{"e1000": "debug=2 debug=3 debug=1"}, Pre: []string{"c"}, Post: []string{"d"}, Blacklist: []string{"d"},
		}},
		{"the shell is the last", "e1000.debug=1", "e1000.debug=4 rd.driver.blacklist=f", map[string]string{policy: "e1000.debug=2"}, bootspec.Modules{
			Params: map[string]string{"e1000": "debug=1 debug=2 debug=4"}, Blacklist: []string{"f"},
		}},
	} {
		fsys := fstest.MapFS{}
		for name, text := range tt.files {
			fsys[name] = &fstest.MapFile{Data: []byte(text)}
		}
		params, _ := bootspec.Gather(fsys, cmdline.Parse(tt.line))
		if tt.shell != "" {
			params = bootspec.Add(params, cmdline.Parse(tt.shell), bootspec.FromShell)
		}
		plan, err := bootspec.Parse(bootspec.Add(params, cmdline.Parse(goodLine), bootspec.FromPolicy))
		if err != nil {
			t.Fatal(err)
		}
		got := withoutBonds(plan.Modules)
		if got.Params["bonding"] != "max_bonds=0" {
			t.Errorf("%s: bonding makes devices: %q", tt.name, got.Params["bonding"])
		}
		delete(got.Params, "bonding")
		if tt.want.Params == nil {
			tt.want.Params = map[string]string{}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", tt.name, diff)
		}
	}
}

// Which steps are repeated for module parameters of the shell.
func TestChangedModules(t *testing.T) {
	index, err := kmod.Read(fstest.MapFS{"modules.dep": {Data: []byte("kernel/e1000.ko:\n")}})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		words string
		up    bool
		steps string
	}{
		{"e1000.debug=1", false, "drivers"},
		{"e1000.debug=1", true, ""},
		{"modprobe.blacklist=e1000", false, "drivers"},
		{"rd.driver.pre=a", true, "modules"},
		{"rd.driver.post=a", true, "drivers"},
		{"rd.timeout=60", false, ""},
	} {
		params := cmdline.Parse("rd.timeout=30")
		d := New(Config{Plan: &bootspec.Plan{Modules: bootspec.ParseModules(params)}, Up: &sequence.Flag{}})
		d.index = index
		if tt.up {
			d.Up.Set()
		}
		if got := strings.Join(d.Changed(bootspec.Add(params, cmdline.Parse(tt.words), bootspec.FromShell)), " "); got != tt.steps {
			t.Errorf("retry %s, network up %v: steps %q, want %q", tt.words, tt.up, got, tt.steps)
		}
	}
}
