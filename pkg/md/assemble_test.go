package md_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/md"
)

// members makes the members of an array that is whole: sda in slot 0, sdb in slot 1.
func members(level md.Level, disks int) []md.Found {
	roles := make([]uint16, disks)
	for i := range roles {
		roles[i] = uint16(i)
	}
	var out []md.Found
	for i := range disks {
		s := md.Superblock{
			Minor: 2, Set: md.UUID{1}, Name: "host:root", Level: level, Sectors: 1000, ChunkSectors: 128, Disks: disks, Events: 100, Clean: true,
			Roles: slices.Clone(roles), Device: md.UUID{2, byte(i)}, Number: uint32(i), DataOffset: 2048, DataSectors: 1000,
		}
		if level == md.RAID10 {
			s.Layout = 0x102
		}
		out = append(out, md.Found{Place: fmt.Sprintf("sd%c", 'a'+i), Superblock: s})
	}
	return out
}

// alone changes members as if those of the numbers had gone on without the rest.
func alone(found []md.Found, events uint64, numbers ...int) {
	for _, n := range numbers {
		s := &found[n].Superblock
		s.Events = events
		for i := range s.Roles {
			if !slices.Contains(numbers, i) {
				s.Roles[i] = md.RoleSpare // as the kernel writes it of what is removed
			}
		}
	}
}

// assemble makes the one array.
func assemble(t testing.TB, found []md.Found) (*md.Array, []error) {
	t.Helper()
	arrays, problems := md.Assemble(found)
	if len(arrays) != 1 {
		t.Fatal(arrays)
	}
	return &arrays[0], problems
}

// places are those of the members, in their order.
func places(all []md.Member) string {
	var out []string
	for _, m := range all {
		out = append(out, m.Place)
	}
	return strings.Join(out, " ")
}

// check compares the members, and what is left out of "PLACE: WHY".
func check(t *testing.T, a *md.Array, want string, left ...string) {
	t.Helper()
	if got := places(a.Members); got != want {
		t.Errorf("members %s, want %s", got, want)
	}
	var got []string
	for _, l := range a.Left {
		got = append(got, l.Place+": "+l.Why)
	}
	if diff := cmp.Diff(left, got); diff != "" {
		t.Errorf("-want +left out:\n%s", diff)
	}
}

// One event behind is what a crash between the writes of two superblocks leaves.
func TestEvents(t *testing.T) {
	for behind, left := range [][]string{nil, nil, {"sdb: it is out of date: 98 events, the array has 100"}} {
		found := members(md.RAID1, 3)
		found[1].Superblock.Events -= uint64(behind)
		a, problems := assemble(t, found)
		want := map[bool]string{false: "sda sdb sdc", true: "sda sdc"}[left != nil]
		check(t, a, want, left...)
		if len(problems) != len(left) || left != nil && problems[0].Error() != "array host:root: sdb is not used: it is out of date: 98 events, the array has 100" {
			t.Error(problems)
		}
	}
}

// The freshest member is the first one, and its values are the array's.
func TestFreshest(t *testing.T) {
	found := members(md.RAID5, 3)
	found[2].Superblock.Events++
	found[2].Superblock.Clean = false
	a, _ := assemble(t, found)
	check(t, a, "sdc sda sdb")
	if a.Disks != 3 || a.Level != md.RAID5 || a.Minor != 2 || a.Name != "host:root" || a.Set != (md.UUID{1}) {
		t.Errorf("%+v", a)
	}
}

// A member that the array went on without is left out even if its events are near.
func TestWentOn(t *testing.T) {
	found := members(md.RAID1, 2)
	alone(found, 101, 0)
	a, _ := assemble(t, found)
	check(t, a, "sda", "sdb: the array went on without it")

	found = members(md.RAID1, 2)
	found[0].Superblock.Roles[1] = md.RoleFaulty
	a, _ = assemble(t, found)
	check(t, a, "sda", "sdb: the array went on without it")
	slices.Reverse(found)
	found[0].Superblock.Events--
	a, _ = assemble(t, found)
	check(t, a, "sda", "sdb: the array went on without it")
}

func TestApart(t *testing.T) {
	found := members(md.RAID1, 2)
	alone(found, 110, 0)
	alone(found, 110, 1)
	a, problems := assemble(t, found)
	const want = "array host:root: sda and sdb were each used without the other: keep the one with the older data away"
	if len(problems) != 1 || problems[0].Error() != want || a.Conflict == nil {
		t.Error(problems)
	}
	if _, err := a.Plan(md.Options{Degraded: true}); err == nil || err.Error() != want {
		t.Error(err)
	}
	// The one with more events counts, as for mdadm.
	found[1].Superblock.Events++
	a, _ = assemble(t, found)
	check(t, a, "sdb", "sda: the array went on without it")
	if a.Conflict != nil {
		t.Error(a.Conflict)
	}
}

func TestTwice(t *testing.T) {
	found := members(md.RAID1, 2)
	for _, place := range []string{"sdx", "sdy1"} {
		found = append(found, md.Found{Place: place, Superblock: found[0].Superblock})
	}
	a, problems := assemble(t, found)
	const want = "array host:root: the member 02000000:00000000:00000000:00000000 is on sda and on sdx and on sdy1: keep all but one of them away"
	if len(problems) != 1 || problems[0].Error() != want {
		t.Error(problems)
	}
	if _, err := a.Plan(md.Options{}); err == nil || err.Error() != want {
		t.Error(err)
	}
}

func TestSameSlot(t *testing.T) {
	found := members(md.RAID1, 3)
	for i := range found {
		found[i].Superblock.Roles[2] = 1
	}
	_, problems := assemble(t, found)
	if len(problems) != 1 || problems[0].Error() != "array host:root: sdb and sdc are both in slot 1: keep one of them away" {
		t.Error(problems)
	}
	found[2].Superblock.Features = md.FeatureReplacement
	a, problems := assemble(t, found)
	if len(problems) != 0 || !a.Members[2].Replacement || a.Members[2].Slot != 1 {
		t.Error(problems, a.Members)
	}
	check(t, a, "sda sdb sdc")
}

func TestSpares(t *testing.T) {
	found := members(md.RAID1, 4)
	for i := range found {
		s := &found[i].Superblock
		s.Disks, s.Roles[2], s.Roles[3] = 2, md.RoleSpare, md.RoleSpare
	}
	found[2].Superblock.Events = 7 // a spare's are not kept
	found[3].Superblock.Events = 1 << 40
	slices.Reverse(found)
	a, problems := assemble(t, found)
	check(t, a, "sdb sda sdc sdd")
	if m := a.Members[2]; m.Slot != -1 || m.Events != 7 || len(problems) > 0 {
		t.Error(m, problems)
	}
	// A number that is not in the table is a spare's, as is a slot that the array does not
	// have.
	found[0].Superblock.Number = 77
	for i := range found {
		found[i].Superblock.Roles[2] = 9
	}
	a, _ = assemble(t, found)
	check(t, a, "sdb sda sdc sdd")

	// Of an array of which only a spare is there, not much is known.
	a, _ = assemble(t, found[1:2])
	_, err := a.Plan(md.Options{Degraded: true})
	var missing *md.MissingError
	if !errors.As(err, &missing) || missing.Have != 0 || missing.Degradable {
		t.Error(err)
	}
}

func TestFaulty(t *testing.T) {
	found := members(md.RAID1, 4)
	for i := range found {
		s := &found[i].Superblock
		s.Disks, s.Roles[2], s.Roles[3] = 2, md.RoleFaulty, md.RoleFaulty
	}
	found[3].Superblock.Roles[3] = md.RoleSpare
	slices.Reverse(found)
	a, _ := assemble(t, found)
	check(t, a, "sdb sda", "sdc: it is marked as faulty", "sdd: the array has it as faulty")
}

// The kernel takes no member whose level, layout, chunk or place differ.
func TestChanged(t *testing.T) {
	for _, change := range []func(s *md.Superblock){
		func(s *md.Superblock) { s.Level = md.RAID1 },
		func(s *md.Superblock) { s.Layout = 2 },
		func(s *md.Superblock) { s.ChunkSectors = 8 },
		func(s *md.Superblock) { s.Minor = 1 },
	} {
		found := members(md.RAID5, 3)
		change(&found[2].Superblock)
		a, _ := assemble(t, found)
		check(t, a, "sda sdb", "sdc: the array was changed without it")
	}
}

// Arrays are in the order of their names and UUIDs.
func TestOrder(t *testing.T) {
	var found []md.Found
	for i, name := range []string{"host:root", "other:root", "root", "a:data", "a:data", ""} {
		f := members(md.RAID1, 1)[0]
		f.Place, f.Superblock.Set, f.Superblock.Name = fmt.Sprintf("sd%c", 'a'+i), md.UUID{byte(9 - i)}, name
		found = append(found, f)
	}
	arrays, problems := md.Assemble(found)
	var order []string
	for _, a := range arrays {
		order = append(order, places(a.Members))
	}
	if diff := cmp.Diff([]string{"sdf", "sde", "sdd", "sda", "sdb", "sdc"}, order); diff != "" || len(problems) > 0 {
		t.Error(diff, problems)
	}
}

// A slot lacks a member if none of it was found, also if the freshest member has it as empty; a
// spare can take it.
func TestLacks(t *testing.T) {
	for name, c := range map[string]struct {
		found []md.Found
		want  int
	}{
		"whole":                  {members(md.RAID1, 2), 0},
		"missing":                {without(members(md.RAID6, 4), 1, 3), 2},
		"removed":                {went(members(md.RAID1, 3), 0)[:1], 2},
		"removed and there":      {went(members(md.RAID1, 3), 0)[:2], 1},
		"faulty by its own":      {each(members(md.RAID1, 2), func(s *md.Superblock) { s.Roles[1] = md.RoleFaulty }), 1},
		"out of date":            {each(members(md.RAID1, 2), func(s *md.Superblock) { s.Events -= 10 * uint64(s.Number) }), 0},
		"a spare for one":        {each(without(members(md.RAID5, 4), 1), func(s *md.Superblock) { s.Disks = 3; s.Roles[3] = md.RoleSpare }), 0},
		"a spare for one of two": {each(without(members(md.RAID6, 5), 1, 2), func(s *md.Superblock) { s.Disks = 4; s.Roles[4] = md.RoleSpare }), 1},
	} {
		a, _ := assemble(t, c.found)
		if got := a.Lacks(); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// went returns members of which those of the numbers have gone on without the rest.
func went(found []md.Found, numbers ...int) []md.Found {
	alone(found, 200, numbers...)
	return found
}
