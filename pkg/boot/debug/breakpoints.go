package debug

import (
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

// dracutSteps maps dracut's break points to steps; each stops before its step.
var dracutSteps = [...]struct{ dracut, step string }{
	{"cmdline", "modules"},
	{"pre-udev", "modules"},
	{"pre-trigger", "drivers"},
	{"initqueue", "login"},
	{"pre-mount", "mount"},
	{"mount", "mount"},
	{"pre-pivot", "switch-root"},
	{"cleanup", "switch-root"},
}

// Breakpoints returns the steps to stop before, and logs the names that are not a step. The name of
// a step takes precedence over dracut's.
func Breakpoints(steps []sequence.Step, wanted []bootspec.Value[string], log sequence.Logger) []string {
	var out []string
	for _, b := range wanted {
		name := b.V
		if !hasStep(steps, name) {
			name = stepOfDracut(name)
		}
		if !hasStep(steps, name) {
			log.Warnf("%s%s: no such step: the steps are %s", b.From, b.V, strings.Join(stepNames(steps), ", "))
			continue
		}
		out = append(out, name)
	}
	return out
}

// stepOfDracut returns the step for a break point of dracut's, and any other name as it is.
func stepOfDracut(name string) string {
	for _, d := range dracutSteps {
		if d.dracut == name {
			return d.step
		}
	}
	return name
}

func hasStep(steps []sequence.Step, name string) bool {
	return slices.ContainsFunc(steps, func(s sequence.Step) bool { return s.Name == name })
}

func stepNames(steps []sequence.Step) []string {
	var out []string
	for _, s := range steps {
		out = append(out, s.Name)
	}
	return out
}
