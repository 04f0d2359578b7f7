package debug_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/boot"
	"github.com/iscsiroot/iscsiroot/pkg/boot/debug"
	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// bootSteps is the list of a boot.
func bootSteps() []sequence.Step { return (&boot.Machine{}).Steps() }

func stepNames() []string {
	var out []string
	for _, s := range bootSteps() {
		out = append(out, s.Name)
	}
	return out
}

// lines is a log that keeps its lines.
type lines []string

func (l *lines) add(level, format string, args ...any) {
	*l = append(*l, level+" "+fmt.Sprintf(format, args...))
}

func (l *lines) Errorf(format string, args ...any) { l.add("error", format, args...) }
func (l *lines) Warnf(format string, args ...any)  { l.add("warning", format, args...) }
func (l *lines) Infof(format string, args ...any)  { l.add("info", format, args...) }
func (l *lines) Debugf(format string, args ...any) { l.add("debug", format, args...) }

// Each step of the boot has an entry in remedies.
func TestEveryStepIsAdvised(t *testing.T) {
	for _, step := range stepNames() {
		if !debug.Advised(step) {
			t.Errorf("no remedies for step %s", step)
		}
	}
}

// dracut's names stand for steps, and a step's name for itself.
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
		plan, err := bootspec.Parse(cmdline.Parse(tt.text))
		if err != nil {
			t.Fatal(err)
		}
		var log lines
		if got := strings.Join(debug.Breakpoints(bootSteps(), plan.Policy.Break, &log), " "); got != tt.want || len(log) > 0 {
			t.Errorf("%s: breaks before %q, want %q; log %q", tt.text, got, tt.want, log)
		}
	}
}

// An unknown break point is logged with the known ones.
func TestBreakpointUnknown(t *testing.T) {
	var log lines
	breaks := []bootspec.Value[string]{{V: "lunch", From: "rd.break="}, {V: "login", From: "rd.break="}}
	if got := debug.Breakpoints(bootSteps(), breaks, &log); len(got) != 1 || got[0] != "login" {
		t.Errorf("breaks before %q, want login", got)
	}
	want := lines{"warning rd.break=lunch: no such step: the steps are " + strings.Join(stepNames(), ", ")}
	if !slices.Equal(log, want) {
		t.Errorf("log is %q, want %q", log, want)
	}
	for _, step := range debug.DracutSteps() {
		if !slices.Contains(stepNames(), step) {
			t.Errorf("a break point of dracut stands for step %s, which does not exist", step)
		}
	}
}
