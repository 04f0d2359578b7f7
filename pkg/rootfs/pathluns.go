package rootfs

import "slices"

// remove removes a LUN that is detached: no other path is scanned for it.
func (l *pathLUNs) remove(first int, lun uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if luns, ok := l.of[first]; ok {
		l.of[first] = slices.DeleteFunc(luns, func(n uint64) bool { return n == lun })
	}
}

// LUNsOfPaths returns the LUNs that other paths to the i-th session's target have in use, in the
// kernel's numbering: a path that comes late is to be scanned for these. Any goroutine may call it.
func (st *Storage) LUNsOfPaths(i int) []uint64 { return st.lunsOfPaths(i) }
