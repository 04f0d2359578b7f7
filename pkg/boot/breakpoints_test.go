package boot

import (
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// dracut's names stand for ours, and a name of ours for itself.
func TestBreakpoints(t *testing.T) {
	tests := []struct{ text, want string }{
		{"quiet", ""},
		{"rd.break", "switch-root"},
		{"rd.break=login", "login"},
		{"rd.break=cmdline", "modules"},
		{"rd.break=pre-udev", "modules"},
		{"rd.break=pre-trigger", "drivers"},
		{"rd.break=initqueue", "login"},
		{"rd.break=pre-mount", "mount"},
		{"rd.break=mount", "mount"},
		{"rd.break=pre-pivot", "switch-root"},
		{"rd.break=cleanup", "switch-root"},
		{"rd.break=network rd.break=root,check", "network root check"},
	}
	for _, tt := range tests {
		m := Machine{}
		log, logged := fileLog(t)
		m.Log = log
		var err error
		if m.Plan, err = bootspec.Parse(cmdline.Parse(tt.text)); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(m.breakpoints(m.Steps()), " "); got != tt.want || logged() != "" {
			t.Errorf("%s: breaks before %q, want %q; log %q", tt.text, got, tt.want, logged())
		}
	}
}

// A break point that there is none of is reported with those there are.
func TestBreakpointUnknown(t *testing.T) {
	m := Machine{}
	log, logged := fileLog(t)
	m.Log = log
	m.Plan.Policy.Break = []bootspec.Value[string]{{V: "lunch", From: "rd.break="}, {V: "login", From: "rd.break="}}
	if got := m.breakpoints(m.Steps()); len(got) != 1 || got[0] != "login" {
		t.Errorf("breaks before %q, want login", got)
	}
	want := "<4>iscsiroot: rd.break=lunch: no such step, there is " + strings.Join(stepNames(m.Steps()), ", ") + "\n"
	if logged() != want {
		t.Errorf("log is %q, want %q", logged(), want)
	}
	for dracut, step := range dracutSteps {
		if !hasStep(m.Steps(), step) {
			t.Errorf("dracut's %s stands for %s, and there is no such step", dracut, step)
		}
	}
}
