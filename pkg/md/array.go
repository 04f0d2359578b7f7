package md

// Found is a member and where it is: the name of a device, for a person.
type Found struct {
	Place      string
	Superblock Superblock
}

// Array is an array, and what there is of it.
type Array struct {
	Set   UUID
	Name  string // as in the superblock: "host:name", or without a host
	Level Level
	Disks int // slots, without those that a reshape is emptying
	Minor int // of the superblocks' version 1

	// Members are those to start the array with: the freshest one first, the others in the
	// order of their slots, then spares.
	Members []Member

	// Left are devices of the array that are not to be used, in the order of their numbers. The
	// array may take them back when it runs.
	Left []Left

	// Conflict is why the array cannot be started: one member in two places, or members that
	// contradict each other.
	Conflict error

	fresh *Superblock // of the freshest member
}

// Lacks returns of how many slots no member was found: neither one that is used, nor a spare that
// the kernel can put there, nor one of those in Left that is there by its own
// superblock. Slots that the freshest member has as empty count too: their former member may be
// elsewhere.
func (a *Array) Lacks() int {
	taken := make([]bool, a.fresh.slots())
	spares := 0
	for i := range a.Members {
		if slot := a.Members[i].Slot; slot >= 0 {
			taken[slot] = true
		} else {
			spares++
		}
	}
	for i := range a.Left {
		if slot := a.Left[i].Slot; slot >= 0 && slot < len(taken) {
			taken[slot] = true
		}
	}
	return max(0, len(taken)-count(taken)-spares)
}

// title is how a person knows the array.
func (a *Array) title() string { return a.fresh.title() }
