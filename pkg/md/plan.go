package md

// Options are what Plan has to know beside the members.
type Options struct {
	// Degraded permits a start without members that the level can do without.
	Degraded bool
	// DirtyDegraded is md_mod.start_dirty_degraded of the kernel: it permits the same to an
	// array with parity that was not stopped cleanly.
	DirtyDegraded bool
}

// Plan is how an array is started.
type Plan struct {
	Set    UUID
	Name   string
	Level  Level
	Minor  int
	Module string // of the kernel, beside md_mod
	// Members are those to give to the kernel, in this order. It chooses the freshest itself
	// when it starts the array (md.c: analyze_sbs), and until then compares each with the one
	// that it got last, of which all here agree. The first one is the freshest nevertheless, so
	// that a list cut short is no list of old members.
	Members []Member
	Missing int // slots without a whole member: 0 unless the array is degraded
}

// Plan returns how to start the array. The error is the array's Conflict, or a *MissingError while
// members are missing that are necessary, or that may come.
func (a *Array) Plan(o Options) (Plan, error) {
	if a.Conflict != nil {
		return Plan{}, a.Conflict
	}
	whole := a.whole()
	have, coming := count(whole), a.coming(whole)
	missing := &MissingError{Array: a.title(), Level: a.Level, Have: have, Need: len(whole), Slots: coming}
	switch {
	case have == len(whole):
	case !a.enough(whole):
		missing.Need = a.need(len(whole))
		return Plan{}, missing
	case a.fresh.has(FeatureReshape):
		// With fewer, which slots suffice depends on how far the reshape is.
		return Plan{}, missing
	case a.dirtyParity() && !o.DirtyDegraded:
		missing.Dirty = true
		return Plan{}, missing
	case len(coming) > 0 && !o.Degraded:
		missing.Degradable = true
		return Plan{}, missing
	}
	return Plan{
		Set: a.Set, Name: a.Name, Level: a.Level, Minor: a.Minor, Module: a.Level.Module(), Members: a.Members,
		Missing: len(whole) - have,
	}, nil
}

// dirtyParity reports whether parity may not fit to its data, so that what is computed from it for
// a missing member would be wrong (raid5.c: raid5_run). A partial parity log prevents that.
func (a *Array) dirtyParity() bool {
	return !a.fresh.Clean && a.Level.parity() > 0 && !a.fresh.has(FeaturePPL)
}
