package rootfs

import (
	"slices"
	"sync"
)

// pathLUNs are the LUNs that are in use by paths, in the kernel's numbering, by the first session
// of the target: another path is scanned for the same. Its scan may run beside the step that adds
// some.
type pathLUNs struct {
	mu sync.Mutex // guards of; no other lock is taken under it
	of map[int][]uint64
}

func (l *pathLUNs) add(first int, lun uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.of == nil {
		l.of = map[int][]uint64{}
	}
	if !slices.Contains(l.of[first], lun) {
		l.of[first] = append(l.of[first], lun)
	}
}

// drop removes the LUN of a target that was detached from all paths.
func (l *pathLUNs) drop(first int, lun uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if have := l.of[first]; len(have) > 0 {
		l.of[first] = slices.DeleteFunc(have, func(n uint64) bool { return n == lun })
	}
}

// clear removes all.
func (l *pathLUNs) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.of = nil
}

// LUNsOfPaths returns the LUNs that other paths to the i-th session's target have in use, in the
// kernel's numbering: a path that comes late is to be scanned for these. Any goroutine may call it.
func (st *Storage) LUNsOfPaths(i int) []uint64 {
	st.pathLUNs.mu.Lock()
	defer st.pathLUNs.mu.Unlock()
	return slices.Clone(st.pathLUNs.of[st.paths(i)[0]])
}

// dropPath notes that a LUN was detached from the i-th session: when no other path has it, none is
// scanned for it any more.
func (st *Storage) dropPath(i int, lun uint64) {
	all := st.paths(i)
	if !slices.ContainsFunc(st.places, func(p *place) bool { return slices.Contains(all, p.session) && p.LUN == lun }) {
		st.pathLUNs.drop(all[0], lun)
	}
}
