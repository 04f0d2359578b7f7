package rootfs

import "slices"

// LUNsOfPaths returns the LUNs that other paths to the i-th session's target have in use, in the
// kernel's numbering: a path that comes late is to be scanned for these. Any goroutine may call it.
func (st *Storage) LUNsOfPaths(i int) []uint64 {
	return st.pathLUNs.Of(st.paths(i)[0])
}

// dropPath notes that a LUN was detached from the i-th session: when no other path has it, none is
// scanned for it any more.
func (st *Storage) dropPath(i int, lun uint64) {
	all := st.paths(i)
	if !slices.ContainsFunc(st.places, func(p *place) bool { return slices.Contains(all, p.session) && p.LUN == lun }) {
		st.pathLUNs.Drop(all[0], lun)
	}
}
