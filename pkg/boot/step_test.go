package boot

import (
	"slices"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
)

// The list is a boot: names are unique, every need is a step above it, each step has a function,
// and the last one needs all others.
func TestSteps(t *testing.T) {
	steps := plannedMachine(t, goodLine).Steps()
	before := map[string]map[string]bool{} // all steps that a step needs
	for _, s := range steps {
		if before[s.Name] != nil || s.Name == "" || s.Run == nil {
			t.Errorf("step %q is there twice, has no name or nothing to run", s.Name)
		}
		before[s.Name] = map[string]bool{}
		for _, need := range s.Needs {
			if before[need] == nil {
				t.Errorf("step %s needs %s, which is not above it", s.Name, need)
			}
			before[s.Name][need] = true
			for n := range before[need] {
				before[s.Name][n] = true
			}
		}
	}
	last := steps[len(steps)-1]
	if last.Name != "switch-root" {
		t.Errorf("the last step is %s, want switch-root", last.Name)
	}
	for _, s := range steps[:len(steps)-1] {
		if !before[last.Name][s.Name] {
			t.Errorf("%s may run before %s is done", last.Name, s.Name)
		}
	}
}

// The needs that the fields of Machine, which have no lock, rely on: the step that writes one is
// done before a step that reads it begins. That the steps share nothing else is tested by boots of
// an init with the race detector (integration, TestRaceBoot and TestRaceReset).
func TestNeedsOfSharedFields(t *testing.T) {
	for _, cpus := range []int{1, 2} {
		m := plannedMachine(t, goodLine)
		m.cpus = cpus
		testNeedsOfSharedFields(t, m.Steps())
	}
	if !slices.Contains(besideDrivers(1), "drivers") || slices.Contains(besideDrivers(2), "drivers") {
		t.Error("on one processor other modules do not wait for the NIC's driver, or on two they do")
	}
}

func testNeedsOfSharedFields(t *testing.T, steps []sequence.Step) {
	t.Helper()
	after := func(name, need string) bool {
		i := slices.IndexFunc(steps, func(s sequence.Step) bool { return s.Name == name })
		return i >= 0 && slices.Contains(steps[i].Needs, need)
	}
	for _, tt := range []struct{ name, need string }{
		{"drivers", "modules"},
		{"late-drivers", "drivers"},
		{"iscsi-modules", "modules"},
		{"fs-modules", "iscsi-modules"},
		{"login", "session"},
		{"login", "network"},
		{"disk", "login"},
		{"root", "disk"},
		{"root", "fs-modules"},
		{"root", "agent"},
		{"mount", "root"},
		{"hand-over", "agent"},
		{"hand-over", "check"},
		{"check", "mount"},
	} {
		if !after(tt.name, tt.need) {
			t.Errorf("step %s may run before %s is done", tt.name, tt.need)
		}
	}
}
