package paths

import (
	"strings"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
)

func readLines(t *testing.T, b []byte, m *Memory) {
	t.Helper()
	for line := range strings.Lines(string(b)) {
		key, values, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if known, err := m.Line(key, values); !known || err != nil {
			t.Errorf("%q: %v, %v", line, known, err)
		}
	}
}

func TestMemory(t *testing.T) {
	reread(t, Memory{
		maps:  []mapMemory{{wwid + " \"", 5, true}, {"b", -7, false}},
		paths: []pathMemory{{wwid, "8:0", 3, true, 9}},
	})
	var m Memory
	for key, values := range map[string]string{"map": `"a" 1`, "path": `"a" "8" 1 true 1`} {
		if known, err := m.Line(key, values); !known || err == nil {
			t.Errorf("%s %s: %v, %v", key, values, known, err)
		}
	}
	if known, _ := m.Line("retries", ""); known {
		t.Error("a line of another is known")
	}
	m = Memory{maps: make([]mapMemory, maxMemory), paths: make([]pathMemory, maxMemory)}
	for key, values := range map[string]string{"map": `"a" 1 true`, "path": `"a" "8:0" 1 true 1`} {
		if known, err := m.Line(key, values); !known || err == nil {
			t.Errorf("%s: no limit", key)
		}
	}
}

// What is written is read back, up to the limits, and what is read is written the same.
func FuzzMemory(f *testing.F) {
	f.Add("36001", int64(77), true, uint32(8), uint32(16), uint32(3), 9, 3, "map", `"36001" 77 true`)
	f.Add("a \"b", int64(-1), false, uint32(259), uint32(0), uint32(0), 0, 70, "path", `"36001" "8:16" 3 true 9`)
	f.Fuzz(func(t *testing.T, name string, since int64, yes bool, major, minor, sid uint32, failures, n int, key, values string) {
		var m Memory
		for range min(max(n, 0), 2*maxMemory) {
			m.maps = append(m.maps, mapMemory{name, time.Duration(since), yes})
			m.paths = append(m.paths, pathMemory{name, table.Number{Major: major & 0xfff, Minor: minor & 0xfffff}.String(), sid, !yes, failures})
		}
		reread(t, m)
		var read Memory
		if known, err := read.Line(key, values); known && err == nil {
			reread(t, read)
		}
	})
}
