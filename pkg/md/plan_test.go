package md_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/md"
)

// without leaves members out by their numbers.
func without(found []md.Found, numbers ...int) []md.Found {
	var out []md.Found
	for _, f := range found {
		if !slices.Contains(numbers, int(f.Superblock.Number)) {
			out = append(out, f)
		}
	}
	return out
}

// each changes the superblocks of all.
func each(found []md.Found, change func(s *md.Superblock)) []md.Found {
	for i := range found {
		change(&found[i].Superblock)
	}
	return found
}

func TestPlanWhole(t *testing.T) {
	a, _ := assemble(t, members(md.RAID6, 4))
	p, err := a.Plan(md.Options{})
	want := md.Plan{Set: md.UUID{1}, Name: "host:root", Level: md.RAID6, Minor: 2, Module: "raid456", Members: a.Members}
	if diff := cmp.Diff(want, p); diff != "" || err != nil || len(p.Members) != 4 {
		t.Error(diff, err)
	}
}

// TestPlanMissing has for each level the members that are away, and whether it can do without.
func TestPlanMissing(t *testing.T) {
	near4, far3, three5 := uint32(0x102), uint32(0x201), uint32(0x103)
	for _, c := range []struct {
		level   md.Level
		disks   int
		layout  uint32
		away    []int
		without bool
		need    int // if not
	}{
		{md.Linear, 2, 0, []int{1}, false, 2},
		{md.RAID0, 2, 0, []int{0}, false, 2},
		{md.RAID1, 2, 0, []int{0}, true, 0},
		{md.RAID1, 3, 0, []int{0, 2}, true, 0},
		{md.RAID4, 3, 0, []int{2}, true, 0},
		{md.RAID5, 3, 0, []int{2}, true, 0},
		{md.RAID5, 3, 0, []int{1, 2}, false, 2},
		{md.RAID6, 4, 0, []int{0, 3}, true, 0},
		{md.RAID6, 4, 0, []int{0, 1, 3}, false, 2},
		{md.RAID10, 4, near4, []int{1, 2}, true, 0},
		{md.RAID10, 4, near4, []int{0, 3}, true, 0},
		{md.RAID10, 4, near4, []int{2, 3}, false, 2},
		{md.RAID10, 4, near4 | 1<<16, []int{0, 1}, false, 2},
		{md.RAID10, 3, far3, []int{1}, true, 0},
		{md.RAID10, 3, far3, []int{0, 2}, false, 2},
		{md.RAID10, 4, far3, []int{0, 2}, true, 0},
		{md.RAID10, 4, far3, []int{3, 0}, false, 2},
		{md.RAID10, 3, near4, []int{0}, true, 0},
		{md.RAID10, 3, near4, []int{0, 1}, false, 2},
		{md.RAID10, 3, near4, []int{0, 2}, false, 2}, // a copy on the last and one on the first
		{md.RAID10, 5, three5, []int{0, 1}, true, 0},
		{md.RAID10, 5, three5, []int{3, 4, 0}, false, 2},
		{md.RAID10, 4, 0x202, []int{0, 1, 2}, true, 0}, // four copies
	} {
		found := each(members(c.level, c.disks), func(s *md.Superblock) { s.Layout = c.layout })
		a, _ := assemble(t, without(found, c.away...))
		_, err := a.Plan(md.Options{})
		need := c.need
		if c.without {
			need = c.disks
		}
		away := slices.Sorted(slices.Values(c.away))
		want := &md.MissingError{Array: "host:root", Level: c.level, Have: c.disks - len(away), Need: need, Slots: away, Degradable: c.without}
		var missing *md.MissingError
		if !errors.As(err, &missing) {
			t.Fatalf("%+v: %v", c, err)
		}
		if diff := cmp.Diff(want, missing); diff != "" {
			t.Errorf("%+v: -want +got:\n%s", c, diff)
		}
		p, err := a.Plan(md.Options{Degraded: true})
		if c.without != (err == nil) || c.without && (p.Missing != len(away) || len(p.Members) != c.disks-len(away)) {
			t.Errorf("%+v: %+v %v", c, p, err)
		}
	}
}

// A slot that the array itself knows to be empty is not waited for, nor is a member that is out of
// date, nor one that is being rebuilt.
func TestPlanKnownDegraded(t *testing.T) {
	gone := each(members(md.RAID1, 2), func(s *md.Superblock) { s.Roles[1] = md.RoleSpare })
	old := members(md.RAID1, 2)
	old[1].Superblock.Events = 5
	partial := members(md.RAID1, 2)
	partial[1].Superblock.Features = md.FeatureRecovery
	for name, found := range map[string][]md.Found{"gone": gone[:1], "old": old, "partial": partial} {
		a, _ := assemble(t, found)
		if p, err := a.Plan(md.Options{}); err != nil || p.Missing != 1 {
			t.Errorf("%s: %+v %v", name, p, err)
		}
	}
}

// A member that is being rebuilt is given to the kernel, but is no redundancy.
func TestPlanPartial(t *testing.T) {
	found := members(md.RAID5, 3)
	found[1].Superblock.Features = md.FeatureRecovery
	a, _ := assemble(t, found)
	if p, err := a.Plan(md.Options{}); err != nil || len(p.Members) != 3 || !p.Members[1].Partial || p.Missing != 1 {
		t.Error(p, err)
	}
	a, _ = assemble(t, found[:2])
	_, err := a.Plan(md.Options{Degraded: true})
	if err == nil || err.Error() != "array host:root: raid5 with 1 members, 2 are necessary: missing in slot 2" {
		t.Error(err)
	}
	// A replacement that is not done yet does not stand for what it replaces; one that is done
	// does.
	found = each(members(md.RAID5, 4), func(s *md.Superblock) { s.Disks, s.Roles[3] = 3, 0 })
	found[3].Superblock.Features = md.FeatureReplacement | md.FeatureRecovery
	a, _ = assemble(t, without(found, 0))
	if p, err := a.Plan(md.Options{Degraded: true}); err != nil || p.Missing != 1 {
		t.Error(p, err)
	}
	found[3].Superblock.Features = md.FeatureReplacement
	a, _ = assemble(t, without(found, 0))
	if p, err := a.Plan(md.Options{}); err != nil || p.Missing != 0 {
		t.Error(p, err)
	}
	// One that is away does not matter where there is what it replaces.
	a, _ = assemble(t, without(found, 2, 3))
	var missing *md.MissingError
	if _, err := a.Plan(md.Options{}); !errors.As(err, &missing) || !slices.Equal(missing.Slots, []int{2}) {
		t.Error(err)
	}
}

func TestPlanDirty(t *testing.T) {
	dirty := func(level md.Level, features md.Feature) []md.Found {
		return each(members(level, 4), func(s *md.Superblock) { s.Clean, s.Features = false, features })
	}
	for _, level := range []md.Level{md.RAID4, md.RAID5, md.RAID6} {
		a, _ := assemble(t, dirty(level, 0))
		if _, err := a.Plan(md.Options{}); err != nil {
			t.Error(level, err)
		}
		a, _ = assemble(t, without(dirty(level, 0), 1))
		_, err := a.Plan(md.Options{Degraded: true})
		want := "array host:root: " + level.String() + " with 3 members, 4 are necessary: missing in slot 1; it was not stopped cleanly: without all members its data may be wrong: with md_mod.start_dirty_degraded=1 it starts degraded"
		var missing *md.MissingError
		if !errors.As(err, &missing) || err.Error() != want || !missing.Dirty || missing.Degradable {
			t.Error(level, err)
		}
		want = "array host:root: " + level.String() + " with 3 of 4 members: missing in slot 1"
		if _, err := a.Plan(md.Options{DirtyDegraded: true}); !errors.As(err, &missing) || !missing.Degradable || err.Error() != want {
			t.Error(level, err)
		}
		if p, err := a.Plan(md.Options{Degraded: true, DirtyDegraded: true}); err != nil || p.Missing != 1 {
			t.Error(level, p, err)
		}
	}
	// A mirror's copies are whole, and a log keeps parity right.
	for level, features := range map[md.Level]md.Feature{md.RAID1: 0, md.RAID10: 0, md.RAID5: md.FeaturePPL} {
		a, _ := assemble(t, without(dirty(level, features), 1))
		if _, err := a.Plan(md.Options{Degraded: true}); err != nil {
			t.Error(level, err)
		}
	}
}

// An array that is being reshaped starts with all members only, those of the slots that it is
// emptying included.
func TestPlanReshape(t *testing.T) {
	found := each(members(md.RAID5, 4), func(s *md.Superblock) {
		s.Disks, s.Delta, s.Features = 3, -1, md.FeatureReshape|md.FeatureNewOffset
	})
	a, _ := assemble(t, found)
	if p, err := a.Plan(md.Options{}); err != nil || len(p.Members) != 4 || p.Members[3].Slot != 3 {
		t.Error(p, err)
	}
	a, _ = assemble(t, without(found, 3))
	_, err := a.Plan(md.Options{Degraded: true})
	var missing *md.MissingError
	if !errors.As(err, &missing) || missing.Need != 4 || missing.Degradable || !slices.Equal(missing.Slots, []int{3}) {
		t.Error(err)
	}
}
