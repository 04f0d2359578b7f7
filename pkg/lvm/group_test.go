package lvm_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lvm"
)

// vgOf reads small with replacements.
func vgOf(t testing.TB, replace ...string) *lvm.VG {
	t.Helper()
	vg, err := lvm.Parse([]byte(strings.NewReplacer(replace...).Replace(small)))
	if err != nil {
		t.Fatal(err)
	}
	return vg
}

// at is the PV of small, or another one, with a copy of metadata.
func at(place string, vg *lvm.VG, id lvm.ID) lvm.Found {
	pv := lvm.PV{ID: id, Device: 1 << 30}
	if vg != nil {
		pv.Copies = []lvm.Copy{{VG: vg}}
	}
	return lvm.Found{Place: place, PV: pv}
}

var (
	smallPV = lvm.ID(strings.Repeat("b", 32))
	otherPV = lvm.ID(strings.Repeat("o", 32))
)

// twoPVs are the replacements that give small another PV.
func twoPVs(more ...string) []string {
	return append(more, "physical_volumes{", `physical_volumes{q{id="oooooo-oooo-oooo-oooo-oooo-oooo-oooooo" device="/dev/sdx" status=[] pe_start=8 pe_count=9}`)
}

func TestNewestCounts(t *testing.T) {
	old, current := vgOf(t, twoPVs()...), vgOf(t, twoPVs("seqno=1", "seqno=10")...)
	for _, order := range [][]lvm.Found{
		{at("sda", old, smallPV), at("sdb", current, otherPV)},
		{at("sdb", current, otherPV), at("sda", old, smallPV)},
	} {
		groups, problems := lvm.Assemble(order)
		if len(groups) != 1 || groups[0].VG.Seqno != 10 || len(groups[0].Found) != 2 || len(problems) > 0 {
			t.Error(groups, problems)
		}
	}
}

func TestCopiesDiffer(t *testing.T) {
	groups, problems := lvm.Assemble([]lvm.Found{
		at("sda", vgOf(t, twoPVs()...), smallPV), at("sdb", vgOf(t, twoPVs("pe_start=8", "pe_start=16")...), otherPV),
	})
	const want = "volume group v: the metadata on sda and on sdb differ with the same seqno 1: keep one of the two away"
	if len(problems) != 1 || problems[0].Error() != want {
		t.Error(problems)
	}
	if _, err := groups[0].Plan("a", lvm.Options{}); err == nil || err.Error() != want {
		t.Error(err)
	}
}

// A clone that is seen beside its original.
func TestSamePVTwice(t *testing.T) {
	groups, problems := lvm.Assemble([]lvm.Found{at("sda", vgOf(t), smallPV), at("sdc2", vgOf(t), smallPV)})
	const want = "volume group v: the physical volume bbbbbb-bbbb-bbbb-bbbb-bbbb-bbbb-bbbbbb is on sda and on sdc2: keep all but one of them away"
	if len(problems) != 1 || problems[0].Error() != want {
		t.Error(problems)
	}
	if _, err := groups[0].Plan("a", lvm.Options{}); err == nil || err.Error() != want {
		t.Error(err)
	}
}

func TestFind(t *testing.T) {
	one := vgOf(t)
	two := vgOf(t, "aaaaaa-", "aaaaad-", "bbbbbb-", "oooooo-", "bbbb-", "oooo-", "-bbbbbb", "-oooooo")
	groups, problems := lvm.Assemble([]lvm.Found{at("sda", one, smallPV), at("sdb", two, two.PVs[0].ID)})
	if len(groups) != 2 || len(problems) > 0 {
		t.Fatal(groups, problems)
	}
	for _, vg := range []*lvm.VG{one, two} {
		if g, err := lvm.Find(groups, vg.ID.String()); err != nil || g.VG != vg {
			t.Error(g, err)
		}
	}
	if _, err := lvm.Find(groups, "v"); err == nil || !strings.Contains(err.Error(), "two have this name, aaaaaa-aaaa-aaaa-aaaa-aaaa-aaaa-aaaaaa on sda and aaaaad-aaaa-aaaa-aaaa-aaaa-aaaa-aaaaaa on sdb") {
		t.Error(err)
	}
	if g, err := lvm.Find(groups[:1], "v"); err != nil || g.VG != one {
		t.Error(g, err)
	}
	if _, err := lvm.Find(groups, "w"); !errors.Is(err, lvm.ErrNotFound) {
		t.Error(err)
	}
}

// A PV left the VG while it was away; a damaged area is a problem too, and no PV without metadata
// is.
func TestProblems(t *testing.T) {
	orphan := at("sdd", nil, lvm.ID(strings.Repeat("d", 32)))
	left := at("sdb", vgOf(t, twoPVs()...), otherPV)
	left.PV.Damaged = []error{errors.New("metadata area at byte 4096: no header")}
	_, problems := lvm.Assemble([]lvm.Found{at("sda", vgOf(t, "seqno=1", "seqno=2"), smallPV), left, orphan})
	if len(problems) != 2 || problems[0].Error() != "lvm on sdb: metadata area at byte 4096: no header" ||
		problems[1].Error() != "lvm on sdb: volume group v no longer has this physical volume: it is not used" {
		t.Error(problems)
	}
}

// PVs without metadata of their own belong to the VG that names them.
func TestReadAssemble(t *testing.T) {
	pv, err := read(t, encode(lvm.PV{ID: otherPV}))
	if err != nil {
		t.Fatal(err)
	}
	first, err := lvm.ReadPV(bytes.NewReader(encode(lvm.PV{ID: smallPV}, strings.NewReplacer(twoPVs()...).Replace(small))), areaStart+areaLen)
	if err != nil {
		t.Fatal(err)
	}
	groups, problems := lvm.Assemble([]lvm.Found{{Place: "sda", PV: pv}, {Place: "sdb", PV: first}})
	if len(problems) > 0 || len(groups) != 1 || groups[0].Found[otherPV].Place != "sda" || len(groups[0].Missing) > 0 {
		t.Error(groups, problems)
	}
	groups, _ = lvm.Assemble([]lvm.Found{{Place: "sdb", PV: first}})
	if m := groups[0].Missing; len(m) != 1 || m[0].String() != "oooooo-oooo-oooo-oooo-oooo-oooo-oooooo (once /dev/sdx)" {
		t.Error(m)
	}
}
