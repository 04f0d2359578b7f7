package paths

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
	"github.com/iscsiroot/iscsiroot/pkg/words"
)

// Memory is the state for the next Keeper, without secrets: what the kernel does not have. Times
// are on the clock of clock.SinceBoot.
type Memory struct {
	maps  []mapMemory
	paths []pathMemory
}

// mapMemory is a map without a path, since then.
type mapMemory struct {
	name    string
	since   time.Duration
	failing bool
}

type pathMemory struct {
	name     string // of the map
	number   string
	sid      uint32
	failed   bool
	failures int
}

// maxMemory is how many maps and paths are kept, each.
const maxMemory = 64

// Append writes a line for each. Line reads them.
func (m Memory) Append(b []byte) []byte {
	for _, one := range m.maps[:min(len(m.maps), maxMemory)] {
		b = fmt.Appendf(b, "map %q %d %t\n", one.name, one.since, one.failing)
	}
	for _, p := range m.paths[:min(len(m.paths), maxMemory)] {
		b = fmt.Appendf(b, "path %q %q %d %t %d\n", p.name, p.number, p.sid, p.failed, p.failures)
	}
	return b
}

// Line parses a line of Append, given without its first word, key. known reports whether key is one
// of Append's.
func (m *Memory) Line(key, values string) (known bool, err error) {
	switch key {
	case "map":
		var one mapMemory
		err = words.Read(values, &one.name, &one.since, &one.failing)
		if err == nil && len(m.maps) == maxMemory {
			err = fmt.Errorf("more than %d maps", maxMemory)
		}
		m.maps = append(m.maps, one)
	case "path":
		var p pathMemory
		err = words.Read(values, &p.name, &p.number, &p.sid, &p.failed, &p.failures)
		if err == nil && len(m.paths) == maxMemory {
			err = fmt.Errorf("more than %d paths", maxMemory)
		}
		if _, nerr := table.ParseNumber(p.number); err == nil {
			err = nerr
		}
		m.paths = append(m.paths, p)
	default:
		return false, nil
	}
	return true, err
}

// Equal reports whether both are the same.
func (m Memory) Equal(other Memory) bool {
	return string(m.Append(nil)) == string(other.Append(nil))
}

// Memory returns the state for the next Keeper. Any goroutine may call it.
func (k *Keeper) Memory() Memory {
	if k == nil {
		return Memory{}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.memory
}

// publish stores what Memory returns, and calls Changed if that is new.
func (k *Keeper) publish() {
	var m Memory
	for _, name := range slices.Sorted(maps.Keys(k.maps)) {
		st := k.maps[name]
		if st.down {
			m.maps = append(m.maps, mapMemory{name, k.boot + st.since, st.failing})
		}
		for _, n := range slices.Sorted(maps.Keys(st.paths)) {
			if p := st.paths[n]; p.failures > 0 {
				m.paths = append(m.paths, pathMemory{name, n, p.sid, p.failed, p.failures})
			}
		}
	}
	k.mu.Lock()
	same := m.Equal(k.memory)
	if !same {
		k.memory = m
	}
	k.mu.Unlock()
	if !same {
		k.changed()
	}
}

// restore sets the state of an earlier Keeper.
func (k *Keeper) restore(past Memory) {
	for _, one := range past.maps {
		m := k.state(one.name)
		m.down, m.since, m.failing = true, one.since-k.boot, one.failing
	}
	for _, p := range past.paths {
		k.state(p.name).paths[p.number] = &pathState{sid: p.sid, failed: p.failed, failures: p.failures, since: k.now()}
	}
}
