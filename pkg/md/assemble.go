package md

import (
	"errors"
	"fmt"
)

// Assemble makes arrays of members, in the order of their names. Problems are what a person has to
// know: conflicts, which the arrays have as well, and devices that are left out. Members whose
// superblock Read refuses are not to be passed.
func Assemble(found []Found) ([]Array, []error) {
	var sets [][]*Found
	index := map[UUID]int{}
	for i := range found {
		f := &found[i]
		n, ok := index[f.Superblock.Set]
		if !ok {
			n = len(sets)
			index[f.Superblock.Set] = n
			sets = append(sets, nil)
		}
		sets[n] = append(sets[n], f)
	}
	var sorted []*Array
	for _, s := range sets {
		sorted = append(sorted, makeArray(s))
		for i := len(sorted) - 1; i > 0 && sorted[i].before(sorted[i-1]); i-- {
			sorted[i], sorted[i-1] = sorted[i-1], sorted[i]
		}
	}
	var arrays []Array
	var problems []error
	for _, a := range sorted {
		arrays = append(arrays, *a)
		if a.Conflict != nil {
			problems = append(problems, a.Conflict)
		}
		for i := range a.Left {
			problems = append(problems, fmt.Errorf("array %s: %s is not used: %s", a.title(), a.Left[i].Place, a.Left[i].Why))
		}
	}
	return arrays, problems
}

// before is the order of arrays. No slices.SortFunc: each type of elements that it sorts adds 20 KB
// to init.
func (a *Array) before(other *Array) bool {
	return a.Name < other.Name || a.Name == other.Name && string(a.Set[:]) < string(other.Set[:])
}

func makeArray(found []*Found) *Array {
	fresh := freshest(found)
	s := &fresh.Superblock
	a := &Array{Set: s.Set, Name: s.Name, Level: s.Level, Disks: s.Disks, Minor: s.Minor, fresh: s}
	a.take(fresh.member())
	conflicts := a.twice(found)
	for _, f := range found {
		why, apart := a.leftOut(f)
		switch {
		case f == fresh:
		case apart && f.Superblock.Events == s.Events:
			conflicts = append(conflicts, fmt.Errorf("array %s: %s and %s were each used without the other: keep the one with the older data away", a.title(), fresh.Place, f.Place))
		case why != "":
			a.leave(Left{f.member(), why})
		default:
			a.take(f.member())
		}
	}
	a.Conflict = errors.Join(append(conflicts, a.sameSlot()...)...)
	return a
}

// freshest returns the member whose superblock counts for the array: the most events, as for the
// kernel (md.c: analyze_sbs). The events of a spare do not count; of an array of which only spares
// are found, it is one of them.
func freshest(found []*Found) *Found {
	best := found[0]
	for _, f := range found[1:] {
		s, b := &f.Superblock, &best.Superblock
		spare, bestSpare := s.slot(s.Number) < 0, b.slot(b.Number) < 0
		if !spare && bestSpare || spare == bestSpare && s.Events > b.Events {
			best = f
		}
	}
	return best
}
