package maps

import (
	"slices"
	"sync"
)

// LUNs are the LUNs that are in use by paths, in the kernel's numbering, by the first session
// of the target: another path is scanned for the same. Its scan may run beside the step that adds
// some.
type LUNs struct {
	mu sync.Mutex // guards of; no other lock is taken under it
	of map[int][]uint64
}

// Add notes that a path has a LUN.
func (l *LUNs) Add(first int, lun uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.of == nil {
		l.of = map[int][]uint64{}
	}
	if !slices.Contains(l.of[first], lun) {
		l.of[first] = append(l.of[first], lun)
	}
}

// Drop removes the LUN of a target that was detached from all paths.
func (l *LUNs) Drop(first int, lun uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if have := l.of[first]; len(have) > 0 {
		l.of[first] = slices.DeleteFunc(have, func(n uint64) bool { return n == lun })
	}
}

// Clear removes all.
func (l *LUNs) Clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.of = nil
}

// Of returns those of a target, by its first session.
func (l *LUNs) Of(first int) []uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.of[first])
}
