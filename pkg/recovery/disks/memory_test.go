package disks

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// next is the Keeper of the next worker, which has what the last one has written down.
func (r *rig) next(k *Keeper) *Keeper {
	r.t.Helper()
	return r.keeper(parsed(r.t, string(k.Memory().Append(nil))))
}

func parsed(t *testing.T, text string) Memory {
	t.Helper()
	var m Memory
	for line := range strings.Lines(text) {
		key, values, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if known, err := m.Line(key, values); !known || err != nil {
			t.Fatalf("%q: %v, %v", line, known, err)
		}
	}
	return m
}

func (r *rig) rename(from, to string) {
	r.t.Helper()
	if err := os.Rename(r.path(from), r.path(to)); err != nil {
		r.t.Fatal(err)
	}
}

func TestMemory(t *testing.T) {
	const text = "retries \"2:0:0:1\" 4711 5 true false\nretries \"2:0:0:2\" 18446744073709551615 -1 false true\ntimer 1 3 \"multipathd\"\ntimer 7 1 \"a b\"\n"
	if got := string(parsed(t, text).Append(nil)); got != text {
		t.Errorf("got %q", got)
	}
	var m Memory
	for _, line := range []string{"retries", "retries 1:0:0:0 x 5 true false", "retries 1:0:0:0 1 5 true", "timer 1", "timer 1 2 \"x"} {
		key, values, _ := strings.Cut(line, " ")
		if known, err := m.Line(key, values); !known || err == nil {
			t.Errorf("%q was taken: %v", line, known)
		}
	}
	if known, err := m.Line("uplink", "1"); known || err != nil {
		t.Errorf("another's line: %v, %v", known, err)
	}
	m = Memory{}
	var err error
	for range maxMemory + 1 {
		if err == nil {
			_, err = m.Line("timer", `1 1 "x"`)
		}
	}
	if err == nil {
		t.Error("there is no limit")
	}
}

// The law from the value: what is written is read back, up to maxMemory of either kind. The law
// from the text: what was read is written to be read the same.
func FuzzMemory(f *testing.F) {
	f.Add("retries 2:0:0:1 4711 5 true false\ntimer 1 3 \"multipathd\"\n", 3)
	f.Add("retries x 1 -1 false true\n", maxMemory+2)
	f.Add("retries \"a b\" 1 -1 false true\n", 0)
	f.Fuzz(func(t *testing.T, text string, many int) {
		var m Memory
		for line := range strings.Lines(text) {
			key, values, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
			if _, err := m.Line(key, values); err != nil {
				return
			}
		}
		for i := range max(0, many) % (2 * maxMemory) {
			m.disks = append(m.disks, diskMemory{text, retries{id: uint64(i), original: many, set: many&1 == 0, changedByOther: many&2 == 0}})
			m.timers = append(m.timers, timerMemory{uint32(i), many, text})
		}
		again := parsed(t, string(m.Append(nil)))
		if want := m.disks[:min(len(m.disks), maxMemory)]; !slices.Equal(again.disks, want) {
			t.Errorf("%+v became %+v", want, again.disks)
		}
		if want := m.timers[:min(len(m.timers), maxMemory)]; !slices.Equal(again.timers, want) {
			t.Errorf("%+v became %+v", want, again.timers)
		}
	})
}
