package storage

import (
	"slices"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

func TestModules(t *testing.T) {
	for _, name := range Supported() {
		if required, _, err := Modules([]string{name}); len(required) == 0 || err != nil {
			t.Errorf("%s needs no module, %v", name, err)
		}
	}
	required, useful, err := Modules([]string{"lvm", "lvm-raid"})
	if err != nil || !slices.Equal(required, []string{"dm_mod", "dm_mod", "dm_raid"}) || !slices.Contains(useful, "raid456") {
		t.Errorf("%q, %q, %v", required, useful, err)
	}
	required, useful, err = Modules([]string{"md"})
	if err != nil || !slices.Equal(required, []string{"md_mod"}) || !slices.Contains(useful, "raid1") || !slices.Contains(useful, "linear") {
		t.Errorf("%q, %q, %v", required, useful, err)
	}
	if _, _, err := Modules([]string{"lvm", "zfs"}); err == nil || !strings.Contains(err.Error(), "storage zfs: not supported; use one of lvm,") {
		t.Errorf("zfs: %v", err)
	}
}

func TestNamed(t *testing.T) {
	for text, want := range map[string]string{
		"root=/dev/sda2": "", "root=/dev/vg/lv": "lvm", "root=/dev/mapper/vg-lv": "lvm", "rd.lvm.lv=vg/lv": "lvm", "rd.lvm.vg=vg": "lvm", "rd.lvm=0": "",
		"root=/dev/md127": "md", "root=/dev/md/root rd.lvm.vg=vg": "lvm md", "rd.md.uuid=3aaa0122:29827cfa:5331ad66:ca767371": "md", "rd.md=0": "",
	} {
		plan, err := bootspec.Parse(cmdline.Parse(text))
		if got := strings.Join(Named(plan), " "); got != want {
			t.Errorf("%s: %q, %v", text, got, err)
		}
	}
	on := bootspec.Value[bool]{V: true, From: "iscsi_multipath"}
	for _, plan := range []bootspec.Plan{{Multipath: bootspec.Multipath{On: on}}, {Targets: []bootspec.Target{{Multipath: on}}}} {
		if got := Named(plan); !slices.Equal(got, []string{"multipath"}) {
			t.Errorf("%+v: %q", plan, got)
		}
	}
}
