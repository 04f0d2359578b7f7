package md

import (
	"fmt"
	"strings"
)

// UnsupportedError is an array that cannot be started here. Trying again does not help.
type UnsupportedError struct {
	Array string // its name; empty if the format has none that is read
	What  string // what is in the way, and what to do
}

func (e *UnsupportedError) Error() string {
	if e.Array == "" {
		return "md superblock: not supported: " + e.What
	}
	return fmt.Sprintf("array %s: not supported: %s", e.Array, e.What)
}

// refused returns why an array is not started: the kernel needs a program of the user space for it,
// or the members do not tell all.
func (s *Superblock) refused() error {
	what := ""
	switch {
	case !s.Level.known():
		what = fmt.Sprintf("level %d", int(s.Level))
	case s.Features&^featureAll != 0:
		what = fmt.Sprintf("feature bits %#x, which are not known", uint32(s.Features&^featureAll))
	case s.has(FeatureClustered):
		what = "it is clustered, which needs dlm and corosync: give it another bitmap with mdadm --grow --bitmap"
	case s.has(FeatureJournal):
		// Its replay writes to the members before root is found.
		what = "it has a write journal: remove it with mdadm --grow --consistency-policy=resync"
	case s.has(FeatureReshape) && !s.has(FeatureNewOffset):
		// The blocks that were being moved may be whole in a backup file only, or in
		// mdadm's copy on the members (Grow.c: Grow_restart).
		what = "it is being reshaped with a backup: finish it with mdadm --grow --continue"
	default:
		return nil
	}
	return &UnsupportedError{Array: s.title(), What: what}
}

// title is how a person knows the array.
func (s *Superblock) title() string {
	if s.Name == "" {
		return s.Set.String()
	}
	return s.Name
}

// MissingError is an array whose members do not suffice. They may come.
type MissingError struct {
	Array      string // its name
	Level      Level
	Have, Need int   // slots with a member that is whole: found, and necessary to start as asked
	Slots      []int // that have none and may get one
	Dirty      bool  // writes were under way, so no member is redundant
	Degradable bool  // with Options.Degraded the array could be started
}

func (e *MissingError) Error() string {
	var slots []string
	for _, s := range e.Slots {
		slots = append(slots, fmt.Sprint(s))
	}
	text := fmt.Sprintf("array %s: %v with %d members, %d are necessary", e.Array, e.Level, e.Have, e.Need)
	if e.Degradable {
		text = fmt.Sprintf("array %s: %v with %d of %d members", e.Array, e.Level, e.Have, e.Need)
	}
	if len(slots) > 0 {
		text += ": missing in slot " + strings.Join(slots, ", ")
	}
	if e.Dirty {
		text += "; it was not stopped cleanly: without all members its data may be wrong: with md_mod.start_dirty_degraded=1 it starts degraded"
	}
	return text
}
