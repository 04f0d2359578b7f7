package debug

import (
	"strings"
	"testing"
)

// Every remedy is a command with a reason.
func TestRemedies(t *testing.T) {
	for _, of := range remedies {
		for _, r := range of.three {
			if r.command == "" || r.why == "" || !strings.Contains(advice(of.step), r.command) {
				t.Errorf("step %s: remedy %+v", of.step, r)
			}
		}
		if strings.Count(advice(of.step), "\n") != 4 {
			t.Errorf("step %s: %s", of.step, advice(of.step))
		}
	}
	if advice("lunch") != advice("cmdline") {
		t.Errorf("an unknown step has the advice %s", advice("lunch"))
	}
}
