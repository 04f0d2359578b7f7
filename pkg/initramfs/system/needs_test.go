package system

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
	"github.com/iscsiroot/iscsiroot/pkg/lvm"
)

// group reads the metadata of a volume group that real lvm2 wrote, of pkg/lvm/testdata.
func group(t *testing.T, name string) *lvm.VG {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("../../lvm/testdata", name, "*.gz"))
	if err != nil {
		t.Fatal(err)
	}
	var found []lvm.Found
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(z)
		pv, perr := lvm.ReadPV(bytes.NewReader(b), 64<<20) // zeros follow
		if err = errors.Join(err, perr, f.Close()); err != nil {
			t.Fatal(err)
		}
		found = append(found, lvm.Found{Place: file, PV: pv})
	}
	groups, _ := lvm.Assemble(found)
	if len(groups) == 0 {
		t.Fatal("no group in ", name)
	}
	return groups[0].VG
}

// describe writes needs briefly: the modules, with ? what is not sure.
func describe(needs []Need) string {
	var out []string
	for _, n := range needs {
		text := strings.Join(n.Modules, "|")
		if n.Err != nil {
			text = "refused"
		}
		if !n.Sure {
			text += "?"
		}
		out = append(out, text)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func TestNeeds(t *testing.T) {
	raid, thin, linear := group(t, "raid"), group(t, "thin"), group(t, "linear")
	onArray := *linear
	onArray.PVs = slices.Clone(linear.PVs)
	onArray.PVs[0].Device = "/dev/md127"
	exported := *linear
	exported.Status = append(slices.Clone(linear.Status), "EXPORTED")
	root := func(spec string) []Mount { return []Mount{{Spec: spec, Dir: "/", Type: "ext4"}} }
	const levels = "raid0|raid1|raid10|raid456|linear"
	for _, tt := range []struct {
		name string
		s    System
		want string
	}{
		{"a partition", System{Mounts: root("/dev/sda2"), Groups: []*lvm.VG{raid}, Arrays: []Array{{Device: "/dev/md0"}}}, ""},
		{"a volume", System{Mounts: root("/dev/vg/root")}, "dm_mod"},
		{"a linear volume", System{Mounts: root("/dev/vg/root"), Groups: []*lvm.VG{linear}}, "dm_mod"},
		{"a raid", System{Mounts: root("/dev/vg/r5"), Groups: []*lvm.VG{raid}}, "dm_mod dm_raid raid456"},
		{"a mirror and a thin volume", System{Mounts: append(root("/dev/vg/r1"), Mount{Spec: "/dev/mapper/vg-root", Dir: "/usr"}), Groups: []*lvm.VG{raid, thin}}, "dm_mod dm_raid dm_thin_pool raid1"},
		{"a new volume", System{Mounts: root("/dev/vg/new"), Groups: []*lvm.VG{raid}}, "dm_mod"},
		{"another group", System{Mounts: root("/dev/vg2/root"), Groups: []*lvm.VG{raid}}, "dm_mod"},
		{"a group that cannot be used", System{Mounts: root("/dev/vg/root"), Groups: []*lvm.VG{&exported}}, "dm_mod refused"},
		{"an array", System{Mounts: root("/dev/md0")}, "md_mod " + levels},
		{"a partition of an array", System{Mounts: root("/dev/md0p1")}, "md_mod " + levels},
		{"an array of a known level", System{Mounts: root("/dev/md/0"), Arrays: []Array{{Device: "/dev/md/0", Module: "raid1"}}}, "md_mod raid1"},
		{"a volume on an array", System{Mounts: root("/dev/vg/root"), Groups: []*lvm.VG{&onArray}}, "dm_mod md_mod " + levels},
		{"the same by the list of devices", System{
			Mounts: root("/dev/vg/root"), Groups: []*lvm.VG{linear}, Arrays: []Array{{UUID: "0102", Module: "raid10"}},
			Devices: []PV{{IDType: "md_uuid", IDName: "01:02", PVID: string(linear.PVs[0].ID)}},
		}, "dm_mod md_mod raid10"},
		{"a multipath map", System{Mounts: root("/dev/mapper/360000000000000000e00000000010001-part2")}, "dm_mod? dm_multipath? dm_service_time?"},
		{"a multipath map of the root's name", System{Mounts: root("/dev/mapper/mpatha-part2")}, "dm_mod? dm_multipath? dm_service_time?"},
		{"a UUID", System{Mounts: root("UUID=x")}, ""},
		{"a UUID that was a volume's", System{Mounts: []Mount{{Spec: "UUID=ab", Dir: "/", Was: "/dev/mapper/vg-r5"}}, Groups: []*lvm.VG{raid}}, "dm_mod dm_raid raid456"},
		{"a UUID that was an array's", System{Mounts: []Mount{{Spec: "UUID=ab", Dir: "/", Was: "/dev/md0"}}, Arrays: []Array{{Device: "/dev/md0", Module: "raid1"}}}, "md_mod raid1"},
		{"a label, and arrays", System{Mounts: root("LABEL=root"), Arrays: []Array{{Module: "raid1"}, {}}}, "md_mod? " + levels + "? raid1?"},
		{"a label, and groups", System{Mounts: root("LABEL=root"), Groups: []*lvm.VG{thin}}, "dm_mod? dm_thin_pool?"},
		{"a UUID, and a list of devices", System{Mounts: root("UUID=ab"), Devices: []PV{{IDType: "devname"}}}, "dm_mod?"},
		{"a partition's UUID", System{Mounts: root("PARTUUID=ab-01"), Groups: []*lvm.VG{thin}}, ""},
	} {
		if got := describe(tt.s.Needs(bootspec.Root{})); got != sorted(tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func sorted(words string) string {
	f := strings.Fields(words)
	slices.Sort(f)
	return strings.Join(f, " ")
}

// What parameters name is looked up in root's files too, and the text tells where it is from.
func TestNeedsOfParameters(t *testing.T) {
	s := System{Groups: []*lvm.VG{group(t, "raid")}, Arrays: []Array{{UUID: "3aaa012229827cfa5331ad66ca767371", Module: "raid1"}}}
	for text, want := range map[string][2]string{
		"":                     {"", ""},
		"root=/dev/sda2":       {"", ""},
		"root=/dev/vg/r10":     {"dm_mod dm_raid raid10", "for root=: vg/r10"},
		"root=/dev/md/0":       {"md_mod raid0|raid1|raid10|raid456|linear", "for root=, an md array"},
		"rd.lvm.vg=vg":         {"dm_mod", "for rd.lvm.vg="},
		"rd.md=0 rd.md.uuid=x": {"", ""},
		"rd.md.uuid=3aaa0122:29827cfa:5331ad66:ca767371": {"md_mod raid1", "for rd.md.uuid="},
	} {
		plan, err := bootspec.Parse(cmdline.Parse(text))
		needs := s.Needs(plan.Root)
		why := ""
		if len(needs) > 0 {
			why = needs[len(needs)-1].Why
		}
		if got := describe(needs); got != sorted(want[0]) || why != want[1] {
			t.Errorf("%s: %q, %q, want %q, %v", text, got, why, want, err)
		}
	}
}

// The files are found where lvm2 and mdadm have them.
func TestReadStorage(t *testing.T) {
	const vg = `contents = "Text Format Volume Group"
version = 1
vg {
	id = "AqhTFK-mIR4-URHE-gkQ9-BM0o-7EJM-xSkAmS"
	seqno = 1
	status = ["RESIZEABLE", "READ", "WRITE"]
	extent_size = 1024
}
`
	root := fstest.MapFS{
		"etc/lvm/backup/vg": {Data: []byte(vg)}, "etc/lvm/backup/.lvm_1": {Data: []byte("x")},
		"etc/mdadm.conf": {Data: []byte("ARRAY /dev/md0 UUID=1\n")}, "etc/mdadm/mdadm.conf": {Data: []byte("ARRAY /dev/md1 UUID=2\n")},
	}
	s, err := Read(root)
	if err != nil || len(s.Groups) != 1 || s.Groups[0].Name != "vg" || len(s.Arrays) != 2 || s.Arrays[1].Device != "/dev/md1" {
		t.Errorf("%+v, %v", s, err)
	}
	root["etc/lvm/backup/vg"] = &fstest.MapFile{Data: []byte("vg {")}
	if _, err := Read(root); err == nil || !strings.HasPrefix(err.Error(), "read etc/lvm/backup/vg: ") {
		t.Errorf("%v", err)
	}
}
