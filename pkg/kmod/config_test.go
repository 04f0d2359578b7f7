package kmod

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadConfig(t *testing.T) {
	var got notes
	c := ReadConfig(tree(map[string]string{
		"etc/modprobe.d/a.conf": "# comment\noptions e1000-x debug=4 \\\n  copybreak=0\nblacklist  ahci\nblacklist crc32c-intel\n" +
			"alias net-pf-10 off\nalias pci:v0000* my-nic\ninstall foo /bin/true\ninstall bar /bin/true\nremove foo /bin/false\n" +
			"nonsense x\noptions\nalias x\nweakdep a b\n",
		"etc/modprobe.d/README":     "install x y\n",
		"lib/modprobe.d/a.conf":     "blacklist hidden\n",
		"usr/lib/modprobe.d/z.conf": "softdep my-nic pre: phy-a phy_b post: helper\noptions e1000_x debug=9\n",
		"run/modprobe.d/long.conf":  strings.Repeat("x", maxLine+1),
	}), got.add)
	want := Config{
		Params:    map[string]string{"e1000_x": "debug=4 copybreak=0 debug=9"},
		Blacklist: map[string]bool{"ahci": true, "crc32c_intel": true},
		Aliases:   []Alias{{"net-pf-10", "off"}, {"pci:v0000*", "my_nic"}},
		Softdeps:  []Softdep{{"my_nic", []string{"phy-a", "phy_b"}, []string{"helper"}}},
	}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	wantNotes := notes{
		"etc/modprobe.d/a.conf: line 7: install is not supported: its command is not run",
		"etc/modprobe.d/a.conf: line 9: remove is not supported: its command is not run",
		"etc/modprobe.d/a.conf: line 10: nonsense is not understood",
		"etc/modprobe.d/a.conf: line 11: options is not understood",
		"etc/modprobe.d/a.conf: line 12: alias is not understood",
		"read run/modprobe.d/long.conf: line 1: longer than 65536 bytes",
	}
	if diff := cmp.Diff(wantNotes, got); diff != "" {
		t.Errorf("notes: -want +got:\n%s", diff)
	}
	ReadConfig(tree(map[string]string{"etc/modprobe.d/a.conf": "install x y\n"}), nil) // without a function for notes
	got = nil
	ReadConfig(failing{tree(map[string]string{"etc/modprobe.d/a.conf": ""})}, got.add)
}

func TestWithConfig(t *testing.T) {
	base, err := Read(tree(map[string]string{
		depFile:     "a.ko: d.ko\nb.ko:\nd.ko:\ns.ko:\n",
		aliasFile:   "alias x:* a\nalias x:1 b\nalias y:* d\nalias z:* d\n",
		softdepFile: "softdep a pre: b\n",
	}))
	if err != nil {
		t.Fatal(err)
	}
	x := base.WithConfig(Config{
		Blacklist: map[string]bool{"d": true, "a": true},
		Aliases:   []Alias{{"z:1", "b"}, {"off:*", "off"}, {"x:9", "off"}},
		Softdeps:  []Softdep{{"a", []string{"s"}, nil}, {"b", nil, []string{"s"}}},
	})
	for name, want := range map[string]string{
		"x:1": "b.ko\ns.ko\n",             // a is on the blacklist
		"a":   "b.ko\ns.ko\nd.ko\na.ko\n", // by name, and as a dependency, a module on the blacklist is loaded
		"z:1": "b.ko\ns.ko\n",             // the configuration's alias takes precedence
		"y:1": "", "z:2": "",              // only what is on the blacklist
	} {
		mods, err := x.Plan(name)
		if err != nil || paths(mods) != want {
			t.Errorf("%s: %q, %v; want %q", name, paths(mods), err, want)
		}
	}
	for _, name := range []string{"off:1", "x:9"} {
		if mods, ok := x.Resolve(name); ok {
			t.Errorf("%s: %v", name, mods)
		}
	}
	if !x.Blacklisted("d") || x.Blacklisted("b") || base.Blacklisted("d") {
		t.Error("blacklist")
	}
	if got := paths(base.Match("y:1")); got != "d.ko\n" {
		t.Errorf("the index before: %q", got)
	}
	if got := (&Index{}).WithConfig(Config{Softdeps: []Softdep{{"a", nil, nil}}}).Modules(); len(got) != 0 {
		t.Error(got)
	}
}

// FuzzReadConfig: any file is read, and the configuration can be applied to an index.
func FuzzReadConfig(f *testing.F) {
	f.Add("options a b=1\nblacklist c\nalias x:* c\nsoftdep c pre: d post: e\ninstall a b\n")
	f.Add("alias [ a\nsoftdep a post: a\n\\\noptions a \\\n")
	index := debian(f)
	f.Fuzz(func(t *testing.T, text string) {
		c := ReadConfig(tree(map[string]string{"etc/modprobe.d/a.conf": text}), nil)
		x := index.WithConfig(c)
		x.Match("x:1")
		for name := range c.Blacklist {
			if mods := x.Match(name); len(mods) > 0 && mods[0].Name == name {
				t.Errorf("alias %s loads it", name)
			}
		}
		if _, err := x.Plan("ext4"); err != nil {
			t.Error(err)
		}
	})
}

// The kinds are those of the aliases of wanted modules, and of the configuration.
func TestAliasKinds(t *testing.T) {
	x, err := Read(tree(map[string]string{
		depFile: "nic.ko:\nbus.ko:\ndisk.ko:\n",
		aliasFile: "alias pci:v00008086d*sv*sd*bc*sc*i* nic\nalias of:N*T*Cx,y nic\nalias pci:v1* nic\nalias acpi*:VMBUS:* bus\n" +
			"alias scsi:t-0x00* disk\nalias fs-x nic\nalias *:all gone\n",
	}))
	if err != nil {
		t.Fatal(err)
	}
	wanted := func(m Module) bool { return m.Name != "disk" }
	if diff := cmp.Diff([]string{"acpi", "of", "pci"}, x.AliasKinds(wanted)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	x = x.WithConfig(Config{Aliases: []Alias{{"usb:v1234*", "nic"}, {"*:x", "nic"}}})
	if diff := cmp.Diff([]string{"", "acpi", "of", "pci", "usb"}, x.AliasKinds(wanted)); diff != "" {
		t.Errorf("with a configuration, -want +got:\n%s", diff)
	}
}

// Patterns and modalias as Debian's crc32c_intel and a kernel on an AMD processor have them, the
// list of features cut.
func TestMatchesCPU(t *testing.T) {
	x, err := Read(tree(map[string]string{
		depFile:   "crc32c-intel.ko:\nkvm.ko:\nnic.ko:\n",
		aliasFile: "alias crypto-crc32c crc32c_intel\nalias cpu:type:x86,ven*fam*mod*:feature:*0094* crc32c_intel\nalias pci:v1* nic\n",
	}))
	if err != nil {
		t.Fatal(err)
	}
	const without = "cpu:type:x86,ven0002fam000Fmod006B:feature:,0000,0001,0080,008D"
	for _, c := range []struct {
		name, cpu string
		want      bool
	}{
		{"crc32c-intel", without, false},
		{"crc32c_intel", without + ",0094,009A", true},
		{"nic", without, true},
		{"unknown", without, true},
	} {
		if got := x.MatchesCPU(c.name, c.cpu); got != c.want {
			t.Errorf("%s on %s: %v", c.name, c.cpu, got)
		}
	}
}
