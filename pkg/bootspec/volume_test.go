package bootspec_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/lvm"
)

// The volumes in which root is looked for.
func TestVolumesToSearch(t *testing.T) {
	for line, want := range map[string][]string{ // the volumes of a/root, a/swap, b/root that are allowed
		"":                                  {"a/root", "a/swap", "b/root"},
		"dolvm lvmwait=/dev/mapper/a-root":  {"a/root", "a/swap", "b/root"},
		"rd.lvm.vg=a":                       {"a/root", "a/swap"},
		"rd.lvm.lv=a/root rd.lvm.lv=b/root": {"a/root", "b/root"},
		"rd_LVM_VG=b rd_LVM_LV=/dev/a/swap": {"a/swap", "b/root"},
		"rd.lvm=0 rd.lvm.vg=a":              nil,
		"rd.lvm=0 rd.lvm=1":                 {"a/root", "a/swap", "b/root"},
		"nolvm":                             nil,
		"rd_NO_LVM":                         nil,
		"rd.lvm.vg=other":                   nil,
		"rd.lvm.lv=a rd.lvm.vg=b/root":      {"a/root", "a/swap", "b/root"},
		"rd.lvm.lv=a/b/c rd.lvm.lv=":        {"a/root", "a/swap", "b/root"},
	} {
		plan, err := parse("quiet " + line)
		if err != nil {
			t.Errorf("%s: %v", line, err)
		}
		var got []string
		for _, name := range []string{"a/root", "a/swap", "b/root"} {
			group, volume, _ := strings.Cut(name, "/")
			if plan.Root.LVM.Allows(group, volume) {
				got = append(got, name)
			}
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

// A name that cannot be read is named, with its form, and does not stop the boot.
func TestVolumeNameWarnings(t *testing.T) {
	for line, want := range map[string]string{
		"rd.lvm.lv=a":     "rd.lvm.lv= is ignored: write rd.lvm.lv=GROUP/VOLUME",
		"rd_LVM_LV=a/..":  "rd_LVM_LV= is ignored: write rd_LVM_LV=GROUP/VOLUME",
		"rd.lvm.vg=a/b":   "rd.lvm.vg= is ignored: write rd.lvm.vg=GROUP",
		"rd.lvm.vg=-a":    "rd.lvm.vg= is ignored: write rd.lvm.vg=GROUP",
		"rd.lvm.vg=a%20b": "rd.lvm.vg= is ignored: write rd.lvm.vg=GROUP",
	} {
		plan, err := parse("quiet " + line)
		if err != nil || len(plan.Warnings) != 1 || plan.Warnings[0] != want {
			t.Errorf("%s: %v, warnings %q, want %q", line, err, plan.Warnings, want)
		}
	}
}

// The system id of this machine, and one that no machine has.
func TestVolumeSystemID(t *testing.T) {
	plan, err := parse("quiet rd.lvm.system_id=node-1 rd.lvm.system_id=a/b")
	if err != nil || plan.Root.LVM.SystemID.V != "node-1" || len(plan.Warnings) != 1 || plan.Warnings[0] != "rd.lvm.system_id= is ignored: not a system id of lvm: see lvmsystemid(7)" {
		t.Errorf("%q, %q, %v", plan.Root.LVM.SystemID, plan.Warnings, err)
	}
}

// What is done with root's volume, and what the words about LVM do.
func TestVolumesExplained(t *testing.T) {
	const named = "logical volume root of group v-g, looked for on all LUNs of the targets, activated with what it stands on and no other (root=)"
	for line, want := range map[string][]string{
		"":                                  nil,
		"root=UUID=1":                       nil,
		"root=/dev/mapper/v--g-root":        {named},
		"root=/dev/v-g/root rd.lvm.vg=v-g":  {named, "logical volumes root is looked for in the volumes of group v-g: without effect, since root= names the volume (rd.lvm.vg=)"},
		"root=/dev/v-g/root rd.lvm=0":       {named, "logical volumes not searched for root: without effect, since root= names the volume (rd.lvm=)"},
		"rd.lvm.lv=a/root rd.lvm.vg=b":      {"logical volumes root is looked for in the volume a/root (rd.lvm.lv=)", "logical volumes root is looked for in the volumes of group b (rd.lvm.vg=)"},
		"rd.lvm=0 rd.lvm.vg=a":              {"logical volumes not searched for root (rd.lvm=)", "logical volumes root is looked for in the volumes of group a: without effect, since no volume is searched (rd.lvm.vg=)"},
		"root=LABEL=x rd.lvm.system_id=one": {"system id of LVM one (rd.lvm.system_id=)"},
	} {
		plan, err := parse("quiet " + line)
		if err != nil {
			t.Errorf("%s: %v", line, err)
		}
		var got []string
		for _, text := range plan.Explain() {
			if strings.HasPrefix(text, "logical volume") || strings.HasPrefix(text, "system id") {
				got = append(got, text)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

func FuzzVolumeName(f *testing.F) {
	f.Add("vg", "lv")
	f.Add("a-b", "c--d-")
	f.Add("-a", "b")
	f.Fuzz(func(t *testing.T, group, volume string) {
		name := lvm.DMName(group, volume, "")
		g, v, ok := lvm.SplitDMName(name)
		// A volume's name does not begin with a hyphen: "0" and "-d" are written as "0-"
		// and "d".
		if ok && (g != group || v != volume) && !strings.HasPrefix(volume, "-") {
			t.Errorf("%q and %q are %q, which is read as %q and %q", group, volume, name, g, v)
		}
		d, named := bootspec.ParseDevice("/dev/" + group + "/" + volume)
		if named && d.By == bootspec.ByVolume && d.Text != name && group != "mapper" {
			t.Errorf("/dev/%s/%s is taken for %q", group, volume, d.Text)
		}
	})
}
