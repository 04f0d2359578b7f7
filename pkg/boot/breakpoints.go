package boot

import (
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
)

// dracutSteps maps dracut's break points to ours; each stops before its step.
var dracutSteps = map[string]string{
	"cmdline":     "modules",
	"pre-udev":    "modules",
	"pre-trigger": "drivers",
	"initqueue":   "login",
	"pre-mount":   "mount",
	"mount":       "mount",
	"pre-pivot":   "switch-root",
	"cleanup":     "switch-root",
}

// breakpoints returns the steps to stop before, and reports those that there
// are none of. A name of ours counts before dracut's.
func (m *Machine) breakpoints(steps []sequence.Step) []string {
	var out []string
	for _, b := range m.Plan.Policy.Break {
		name := b.V
		if !hasStep(steps, name) && dracutSteps[name] != "" {
			name = dracutSteps[name]
		}
		if !hasStep(steps, name) {
			m.Log.Warnf("%s%s: no such step, there is %s", b.From, b.V, strings.Join(stepNames(steps), ", "))
			continue
		}
		out = append(out, name)
	}
	return out
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
