package bootspec

// Multipath says which sessions are paths to the same LUNs.
type Multipath struct {
	// On is whether there is a session for each portal of a target, and for each of NICs; not
	// given: only where the targets are named in a way that means it, see Plan.Sessions. False:
	// no disks are joined.
	On Value[bool]
	// NICs are the interfaces from which each portal gets a session; none: the kernel chooses.
	NICs []Value[NIC]
	// IDs are WWIDs whose disks are joined also where targets of different names have them, and
	// the WWID does not tell that they are the same LUN.
	IDs []Value[string]
}

// NIC names an interface by its name or its MAC.
type NIC struct {
	Name string
	MAC  string // as 52:54:00:12:34:56
}

// String returns the name or the MAC.
func (n NIC) String() string {
	if n.Name != "" {
		return n.Name
	}
	return n.MAC
}

// Sessions returns the sessions of the plan's targets, one for each: for a target with several
// paths one for each portal and NIC, in that order, also for a NIC that is absent. Their number and
// order are the same at every boot of a plan, and so are the ISIDs.
func (p Plan) Sessions() []Target { return p.Targets }
