package lvm_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
	"github.com/iscsiroot/iscsiroot/pkg/lvm"
)

// smallGroup is small with replacements, on sda.
func smallGroup(t testing.TB, replace ...string) *lvm.Group {
	t.Helper()
	groups, problems := lvm.Assemble([]lvm.Found{at("sda", vgOf(t, replace...), smallPV)})
	if len(groups) != 1 || len(problems) > 0 {
		t.Fatal(groups, problems)
	}
	return &groups[0]
}

// TestRefused plans the LVs of types that are not supported, as lvm2 wrote them.
func TestRefused(t *testing.T) {
	g := group(t, "refused")
	for lv, want := range map[string]string{
		"origin":       "vg/origin: not supported: it has a snapshot, or is one",
		"copy":         "vg/copy: not supported: it has a snapshot, or is one",
		"mirror":       `vg/mirror: not supported: segment type "mirror"`,
		"error":        `vg/error: not supported: segment type "error"`,
		"zero":         `vg/zero: not supported: segment type "zero"`,
		"integrity":    `vg/integrity_rimage_0: not supported: segment type "integrity"`,
		"cached":       `vg/cached: not supported: segment type "cache"`,
		"written":      `vg/written: not supported: segment type "writecache"`,
		"cached_corig": "vg/cached_corig: not supported: it is a part of another LV",
	} {
		_, err := g.Plan(lv, lvm.Options{})
		var u *lvm.UnsupportedError
		if !errors.As(err, &u) || err.Error() != "logical volume "+want {
			t.Errorf("%s: %v, want %s", lv, err, want)
		}
	}
	if _, err := g.Plan("nothing", lvm.Options{}); !errors.Is(err, lvm.ErrNotFound) {
		t.Error(err)
	}
	compare(t, g, loadedBy(t, "refused"), "root", lvm.Options{})
}

func TestCandidates(t *testing.T) {
	for name, want := range map[string]string{
		"refused":  "root",
		"dashes":   "r-o--ot ro minor",
		"thin":     "root data awake base ext",
		"stack":    "root",
		"exported": "",
		"systemid": "",
	} {
		var got []string
		for _, l := range group(t, name).VG.Candidates(lvm.Options{}) {
			got = append(got, l.Name)
		}
		slices.Sort(got)
		w := strings.Fields(want)
		slices.Sort(w)
		if !slices.Equal(got, w) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if c := group(t, "systemid").VG.Candidates(lvm.Options{SystemID: "other"}); len(c) != 1 {
		t.Error(c)
	}
}

func TestRefusedVG(t *testing.T) {
	for name, want := range map[string]string{
		"exported": "volume group vg: not supported: it is exported: see vgimport(8)",
		"systemid": `volume group vg: not supported: it belongs to the host with the system id "other": see lvmsystemid(7)`,
	} {
		if _, err := group(t, name).Plan("root", lvm.Options{SystemID: "mine"}); err == nil || err.Error() != want {
			t.Error(err)
		}
	}
	for change, want := range map[string]string{
		`lock_type="sanlock" status=["READ"]`: `it is shared by lock type "sanlock": see lvmlockd(8)`,
		`status=["READ","CLUSTERED"]`:         "its status is CLUSTERED",
	} {
		_, err := smallGroup(t, `status=["READ"]`, change).Plan("a", lvm.Options{})
		if err == nil || err.Error() != "volume group v: not supported: "+want {
			t.Error(err)
		}
	}
}

// Changes of the small VG that its LV "a" or "d" cannot be activated with.
func TestUnsupported(t *testing.T) {
	for _, c := range []struct{ lv, old, new, want string }{
		{"a", `["VISIBLE","WRITE"]`, `["VISIBLE","NEW"]`, "v/a: not supported: its status NEW is not known"},
		{"a", `["VISIBLE","WRITE"]`, `["VISIBLE","LOCKED"]`, "v/a: not supported: its extents are being moved"},
		{"a", `type="raid1"`, `type="raid1+RESHAPE"`, `v/b: not supported: segment type "raid1+RESHAPE"`},
		{"a", `type="raid1"`, `data_offset=8 type="raid1"`, `v/b: not supported: segment type "raid1 with data_offset`},
		{"a", `stripes=["p",2]`, `stripes=["b",0]`, "v/b: not supported: it stands on itself"},
		{"a", `["REBUILD"]`, `["VISIBLE"]`, "v/b: not supported: too many of its legs are split off"},
		{"d", `external_origin="a"`, `merge="a"`, "v/d: not supported: it is to be merged into a"},
		{"a", `external_origin="a"`, `merge="a"`, "v/a: not supported: a snapshot is to be merged into it"},
		{"d", `thin_pool="e"`, `thin_pool="a"`, "v/d: not supported: a is not a thin pool"},
		{"f", "\nb{id", ` f{id="cccccc-cccc-cccc-cccc-cccc-cccc-cccccz" status=["VISIBLE"] segment_count=0} b{id`, "v/f: not supported: it has no segments"},
		{"e", `# comment`, "\n", "v/e: not supported: it is a part of another LV"},
	} {
		_, err := smallGroup(t, c.old, c.new).Plan(c.lv, lvm.Options{})
		if err == nil || !strings.HasPrefix(err.Error(), "logical volume "+c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}

// A thin LV with an external origin on a raid: all that a plan has.
func TestPlanVolumes(t *testing.T) {
	g := smallGroup(t)
	volumes, err := g.Plan("d", lvm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	numbers := map[string]table.Number{}
	var got []string
	for i, v := range volumes {
		tab, err := v.Table(func(r lvm.Ref) (table.Number, bool) {
			if r.PV == smallPV {
				return table.Number{Major: 8}, true
			}
			n, ok := numbers[r.Volume]
			return n, ok
		})
		if err == nil {
			numbers[v.Name] = table.Number{Major: 253, Minor: uint32(i)}
		}
		line := v.Name + strings.TrimPrefix(v.UUID, "LVM-"+string(g.VG.ID))[32:]
		if v.Hidden {
			line += " hidden"
		}
		if v.ReadOnly {
			line += " read-only"
		}
		for _, r := range v.Refs() {
			if r.OnlyRead {
				line += " only reads " + r.Volume
			}
		}
		if v.Pool != nil {
			line += " " + v.Pool.Name
		}
		got = append(got, line+" "+strings.Join(v.Modules, ",")+": "+strings.TrimSpace(strings.ReplaceAll(tab.String(), "\n", "; "))+errText(err))
	}
	want := []string{
		"v-c-tmeta hidden : 0 8 linear 8:0 24;",
		"v-c_rmeta_0 hidden : 0 8 linear 8:0 32;",
		"v-b-tdata hidden read-only dm_raid,raid1: 0 8 raid raid1 5 0 rebuild 0 region_size 8 1 253:1 253:0;",
		"v-e-tpool-tpool hidden read-only v/e dm_thin_pool: 0 72 thin-pool 253:0 253:2 128 0 2 skip_block_zeroing ignore_discard;",
		"v-a-real-real hidden : 0 8 linear 8:0 8; 8 16 striped 2 8 8:0 16 253:2 0;",
		"v-d read-only only reads v-a-real dm_thin_pool: 0 72 thin 253:3 1 253:4;",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// Nothing is made of a device whose number is not known.
func TestTableWithoutNumber(t *testing.T) {
	volumes, err := smallGroup(t).Plan("a", lvm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = volumes[0].Table(func(lvm.Ref) (table.Number, bool) { return table.Number{}, false })
	if want := "table of v-c_rmeta_0: " + smallPV.String() + " is not there"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestMinor(t *testing.T) {
	volumes, err := group(t, "dashes").Plan("minor", lvm.Options{})
	if err != nil || len(volumes) != 1 || volumes[0].Minor != 77 {
		t.Error(volumes, err)
	}
}

// The disk became smaller than its PV.
func TestDeviceTooSmall(t *testing.T) {
	all := found(t, "linear")
	all[0].PV.Device = 20 << 20
	groups, _ := lvm.Assemble(all)
	_, err := groups[0].Plan("root", lvm.Options{})
	if err == nil || !strings.Contains(err.Error(), "on 254:0 has 20971520 bytes, less than its extents") {
		t.Error(err)
	}
}

// stack is a VG in which l0 stands on n raids, each of which has the next one twice.
func stack(t *testing.T, n int) *lvm.VG {
	t.Helper()
	var b strings.Builder
	head, _, _ := strings.Cut(small, "logical_volumes{")
	b.WriteString(head + "logical_volumes{")
	status := `"VISIBLE"`
	for i := range n {
		fmt.Fprintf(&b, `l%d{id="%s%02d" status=[%s] segment_count=1 s{start_extent=0 extent_count=1 `, i, strings.Repeat("d", 30), i, status)
		fmt.Fprintf(&b, `type="raid1" device_count=2 region_size=8 raids=["l%d","l%d"]}}`, i+1, i+1)
		status = ""
	}
	fmt.Fprintf(&b, `l%d{id="%s%02d" status=[] segment_count=1 s{start_extent=0 extent_count=1 type="striped" stripe_count=1 stripes=["p",0]}}}}`, n, strings.Repeat("d", 30), n)
	vg, err := lvm.Parse([]byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	return vg
}

// A stack that is deeper than any of lvm2, and that has 2^40 ways down, ends with an error.
func TestDeepStack(t *testing.T) {
	groups, _ := lvm.Assemble([]lvm.Found{at("sda", stack(t, 40), smallPV)})
	if _, err := groups[0].Plan("l0", lvm.Options{}); err == nil || !strings.Contains(err.Error(), "it stands on itself, or on too many others") {
		t.Error(err)
	}
	groups, _ = lvm.Assemble([]lvm.Found{at("sda", stack(t, 10), otherPV)})
	_, err := groups[0].Plan("l0", lvm.Options{})
	var m *lvm.MissingError
	if !errors.As(err, &m) || len(m.PVs) != 1 || m.Degradable {
		t.Error(err)
	}
}

func TestCrop(t *testing.T) {
	const old, crop = `type="thin-pool"`, `crop_metadata=1 type="thin-pool+CROP_METADATA"`
	if _, err := smallGroup(t, old, crop).Plan("d", lvm.Options{}); err != nil {
		t.Error(err)
	}
	_, err := smallGroup(t, old, crop, "extent_size=8", "extent_size=40000000").Plan("d", lvm.Options{})
	if err == nil || !strings.Contains(err.Error(), "v/e: not supported: its metadata are larger than the kernel can use") {
		t.Error(err)
	}
}

func TestWriteLocked(t *testing.T) {
	volumes, err := smallGroup(t, `["VISIBLE","WRITE"]`, `["VISIBLE"] flags=["WRITE_LOCKED"]`, `external_origin="a"`, "").Plan("a", lvm.Options{})
	if err != nil || volumes[len(volumes)-1].ReadOnly {
		t.Error(volumes, err)
	}
}
