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

// readSteps finds the steps in the log of a boot. The time before the first line and after the last step are steps too.
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

// moduleTime is for how long modules were being loaded, in seconds. The others do it in steps of its own; ours begins when
// the index is read and ends with the last of its steps for modules, whatever else ran beside them.
func moduleTime(steps []Step) float64 {
	begin, end, sum := -1.0, 0.0, 0.0
	for _, s := range steps {
		switch s.Name {
		case "modules":
			begin = s.End
		case "iscsi-modules", "fs-modules":
			end = max(end, s.End)
		case "nic", "iscsi", "fs":
			sum += s.End - s.Begin
		}
	}
	if begin >= 0 {
		return max(0, end-begin)
	}
	return sum
}
