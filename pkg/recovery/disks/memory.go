package disks

import (
	"fmt"
	"maps"
	"slices"

	"github.com/iscsiroot/iscsiroot/pkg/words"
)

// Memory is the state for the next worker: what was found and done. It contains no secret.
type Memory struct {
	disks  []diskMemory
	timers []timerMemory
}

// diskMemory is a disk's retries, timerMemory a session's recovery_tmo.
type (
	diskMemory struct {
		where string
		retries
	}
	timerMemory struct {
		sid      uint32
		restored int
		by       string
	}
)

// maxMemory is how many disks and sessions are kept, each. A further disk has unlimited retries
// too, but they are not restored if it becomes a leg of a mirror later, under another worker.
const maxMemory = 256

// Append writes a line for each, up to maxMemory of either. Line reads them.
func (m Memory) Append(b []byte) []byte {
	for _, d := range m.disks[:min(len(m.disks), maxMemory)] {
		b = fmt.Appendf(b, "retries %q %d %d %t %t\n", d.where, d.id, d.original, d.set, d.changedByOther)
	}
	for _, t := range m.timers[:min(len(m.timers), maxMemory)] {
		b = fmt.Appendf(b, "timer %d %d %q\n", t.sid, t.restored, t.by)
	}
	return b
}

// Line parses a line of Append, given without its first word, key. known reports whether key is one
// of Append's.
func (m *Memory) Line(key, values string) (known bool, err error) {
	switch key {
	case "retries":
		var d diskMemory
		err = words.Read(values, &d.where, &d.id, &d.original, &d.set, &d.changedByOther)
		if err == nil && len(m.disks) == maxMemory {
			err = fmt.Errorf("more than %d disks", maxMemory)
		}
		m.disks = append(m.disks, d)
	case "timer":
		var t timerMemory
		err = words.Read(values, &t.sid, &t.restored, &t.by)
		if err == nil && len(m.timers) == maxMemory {
			err = fmt.Errorf("more than %d sessions", maxMemory)
		}
		m.timers = append(m.timers, t)
	default:
		return false, nil
	}
	return true, err
}

// Equal reports whether both are the same.
func (m Memory) Equal(other Memory) bool {
	return string(m.Append(nil)) == string(other.Append(nil))
}

// snapshot returns the Keeper's present state.
func (k *Keeper) snapshot() Memory {
	var m Memory
	for _, where := range slices.Sorted(maps.Keys(k.retries)) {
		if len(m.disks) < maxMemory {
			m.disks = append(m.disks, diskMemory{where, *k.retries[where]})
		}
	}
	for _, s := range k.cfg.Sessions() {
		if t := k.timers[s.ID()]; t != nil && t.restored > 0 {
			m.timers = append(m.timers, timerMemory{s.ID(), t.restored, t.by})
		}
	}
	return m
}

// restore sets the state of an earlier worker.
func (k *Keeper) restore(m Memory) {
	for _, d := range m.disks {
		r := d.retries
		k.retries[d.where] = &r
	}
	for _, old := range m.timers {
		if t := k.timers[old.sid]; t != nil {
			t.restored, t.by = old.restored, old.by
		}
	}
}
