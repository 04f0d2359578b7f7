package debug

import (
	"reflect"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// resumeAt makes the Resume. Parameters are parsed before the shell ends, so that it can show their
// errors.
func (c *conversation) resumeAt(step, stop string, params []string) (string, error) {
	resume := sequence.Resume{Break: stop}
	if step != "" {
		resume.Steps = []string{step}
	}
	plan, line := *c.m.Plan, *c.m.Params
	if len(params) > 0 {
		line = bootspec.Add(line, cmdline.Parse(quoteAll(params)), bootspec.FromShell)
		var err error
		if plan, err = c.m.Parse(line); err != nil {
			return "", err
		}
		resume.Steps = append(resume.Steps, changed(*c.m.Plan, plan)...)
		resume.Steps = append(resume.Steps, c.m.Modules(line)...)
	}
	again := c.m.Progress.Following(resume.Steps...)
	if err := c.m.Refuse(again); err != nil {
		return "", err
	}
	resume.Prepare = func() []string { return c.m.Prepare(line, plan, again) }
	c.resume = resume
	c.acted = true
	return "trying again\n", nil
}

// quoteAll joins words, quoted as on the kernel's command line.
func quoteAll(words []string) string {
	var out []string
	for _, w := range words {
		if key, value, ok := strings.Cut(w, "="); ok && strings.ContainsAny(value, " \t") {
			w = key + `="` + value + `"`
		}
		out = append(out, w)
	}
	return strings.Join(out, " ")
}

// changed lists the steps that a new plan changes.
func changed(old, plan bootspec.Plan) []string {
	var out []string
	if !reflect.DeepEqual(old.Net, plan.Net) {
		out = append(out, "network")
	}
	if !old.SameTargets(plan) {
		out = append(out, "session")
	}
	if !reflect.DeepEqual(old.Root, plan.Root) {
		out = append(out, "root")
	}
	if old.Init != plan.Init {
		out = append(out, "check")
	}
	return out
}
