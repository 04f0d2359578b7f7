package md

// whole returns for each slot whether a member has all of its data.
func (a *Array) whole() []bool {
	out := make([]bool, a.fresh.slots())
	for i := range a.Members {
		if m := &a.Members[i]; m.Slot >= 0 && !m.Partial {
			out[m.Slot] = true
		}
	}
	return out
}

// coming returns the slots without a whole member that may get one: the freshest member has one
// there that was not found. Slots that it has as empty, and those whose member is out of date or
// being rebuilt, need not be waited for.
func (a *Array) coming(whole []bool) []int {
	known := map[uint32]bool{}
	for i := range a.Members {
		known[a.Members[i].Number] = true
	}
	for i := range a.Left {
		known[a.Left[i].Number] = true
	}
	away := make([]bool, len(whole))
	for n := range a.fresh.Roles {
		if slot := a.fresh.slot(uint32(n)); slot >= 0 && !known[uint32(n)] {
			away[slot] = true
		}
	}
	var out []int
	for slot := range whole {
		if !whole[slot] && away[slot] {
			out = append(out, slot)
		}
	}
	return out
}

// enough reports whether the kernel's module of the level starts the array, if no write was under
// way (mdadm's util.c: enough; raid10.c: _enough).
func (a *Array) enough(whole []bool) bool {
	n := count(whole)
	switch a.Level {
	case RAID1:
		return n > 0
	case RAID10:
		return a.eachCopy(whole)
	}
	return n >= len(whole)-a.Level.parity()
}

// eachCopy reports whether of each block of a raid10 there is a copy. The copies of a block are in
// slots that follow each other; the first block of a stripe begins at each near'th slot. The kernel
// counts the layouts "far" and "offset" in the same way.
func (a *Array) eachCopy(whole []bool) bool {
	all, near := copies(a.fresh.Layout)
	for first := 0; ; {
		any := false
		for i := range all {
			any = any || whole[(first+i)%len(whole)]
		}
		if !any {
			return false
		}
		if first = (first + near) % len(whole); first == 0 {
			return true
		}
	}
}

// need is how many slots need a whole member if the array is started degraded, at least.
func (a *Array) need(slots int) int {
	switch a.Level {
	case RAID1:
		return 1
	case RAID10:
		all, _ := copies(a.fresh.Layout)
		return (slots + all - 1) / max(all, 1)
	}
	return slots - a.Level.parity()
}

func count(of []bool) int {
	n := 0
	for _, yes := range of {
		if yes {
			n++
		}
	}
	return n
}
