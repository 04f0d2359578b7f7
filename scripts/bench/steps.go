package main

import (
	"fmt"
	"regexp"
	"strconv"
)

// Step is a part of a boot, in seconds since /init began.
type Step struct {
	Name  string  `json:"name"`
	Begin float64 `json:"begin_s"`
	End   float64 `json:"end_s"`
}

var (
	// ourStep is what pkg/boot logs at a step's end. Steps overlap.
	ourStep = regexp.MustCompile(`^iscsiroot: step (\S+) done in ([0-9.]+) s`)
	// theirStep is the end of a step of the others, which do one thing at a time.
	theirStep = regexp.MustCompile(`^bench: step (\S+)`)
)

// readSteps finds the steps in the log of a boot. The time before the first line and after the last
// step are steps too.
func readSteps(b Boot) ([]Step, error) {
	var out []Step
	var last float64
	begun := false
	for _, r := range b.log {
		end := r.At - b.Run
		if m := ourStep.FindStringSubmatch(r.Text); m != nil {
			took, err := strconv.ParseFloat(m[2], 64)
			if err != nil {
				return nil, fmt.Errorf("read step %q: %w", r.Text, err)
			}
			out = append(out, Step{m[1], max(0, end-took), end})
			last = end
		} else if m := theirStep.FindStringSubmatch(r.Text); m != nil {
			out = append(out, Step{m[1], last, end})
			last = end
		} else if !begun {
			out = append(out, Step{"start", 0, end})
		}
		begun = true
	}
	if len(out) == 0 {
		return nil, nil
	}
	return append(out, Step{"to the real init", last, b.Init()}), nil
}

// moduleLine is the line of iscsiroot and of the C program with the processor time of their modules
// so far.
var moduleLine = regexp.MustCompile(`^(?:iscsiroot: modules took|bench: modules) ([0-9.]+) s`)

// moduleTime is the processor time that modules took in a boot, in seconds, 0 if it was not logged.
// It is not the time on a clock: ours does other things while modules are being loaded, on the same
// processor where there is one.
func moduleTime(b Boot) (float64, error) {
	var took float64
	for _, r := range b.log {
		if m := moduleLine.FindStringSubmatch(r.Text); m != nil {
			var err error
			if took, err = strconv.ParseFloat(m[1], 64); err != nil {
				return 0, fmt.Errorf("read module time %q: %w", r.Text, err)
			}
		}
	}
	return took, nil
}
