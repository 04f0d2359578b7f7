package debug

import (
	"strings"
	"testing"
)

// Every remedy is a command with a reason.
func TestRemedies(t *testing.T) {
	table := remedies()
	for step, three := range table {
		for _, r := range three {
			if r.command == "" || r.why == "" {
				t.Errorf("step %s: remedy %+v", step, r)
			}
		}
		if strings.Count(advice(step), "\n") != 4 {
			t.Errorf("step %s: %s", step, advice(step))
		}
	}
}
