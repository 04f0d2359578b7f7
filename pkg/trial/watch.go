//go:build linux

package trial

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
)

// mark is what shows that a stage is over.
type mark struct {
	stage string
	text  string // a regular expression
}

// bad matches a failure that ends the boot. After a failed step comes its hint, or the action.
const bad = `step \S+ failed after [^\n]*\n[^\n]*\n|Kernel panic - not syncing[^\n]*\n|No bootable device|UEFI Interactive Shell|unknown machine: [^\n]*\n|no script for [^\n]*\n|no file \S* for [^\n]*\n`

// own is a whole line that neither the kernel nor anything of ours writes: those begin with a time.
// systemd writes so too.
const own = `\n(?:\[ *\d+\.\d+\] systemd\[1\]|[^\[\n]|\[ *[^ \d\n])[^\n]*\n`

// marks are the ends of the stages, in order.
func (b *bench) marks() []mark {
	last := own
	if b.Expect != "" {
		last = regexp.QuoteMeta(b.Expect)
	}
	return []mark{
		{"firmware", b.Room.BootLoader().Banner},
		{"loader", `Linux version `},
		{"kernel", `Run /init as init process`},
		{"init", `: starting \S+ after [\d.]+ s`},
		{"root's init", last},
	}
}

// watch waits for each stage to end.
func (b *bench) watch(ctx context.Context, m *lab.Machine) error {
	began := time.Now()
	for _, k := range b.marks() {
		err := await(ctx, m, k)
		if err != nil {
			return &Error{k.stage, err}
		}
		b.result.Stages = append(b.result.Stages, Stage{k.stage, time.Since(began)})
		began = time.Now()
	}
	return nil
}

// await waits for a mark, or for what will never become one.
func await(ctx context.Context, m *lab.Machine, k mark) error {
	got, err := m.ExpectMatch(ctx, regexp.MustCompile(`(?s:`+k.text+`)|(`+bad+`)`))
	switch {
	case err == nil && got[1] != "":
		return errors.New(cause(got[1]))
	case err == nil:
		return nil
	}
	select {
	case <-m.Done():
	default:
		var seen *lab.ConsoleError
		if errors.As(err, &seen) {
			err = ranOut(context.Cause(ctx), m.Output(), seen.Tail)
		}
		return err
	}
	exit, waitErr := m.Wait(ctx)
	if waitErr == nil && k.stage == "root's init" && exit.Reason == "guest-shutdown" {
		return nil // it logged nothing
	}
	return fmt.Errorf("the machine ended (%s); %w", exit.Reason, err)
}

// again matches the line of a step that failed and is tried again (sequence.RetryLog), and that of
// one that succeeded after it; the step is the first group.
var again = regexp.MustCompile(`(?m)iscsiroot: ([\w-]+): (?:.*: trying again.*|still trying after \d+ s: .*|succeeded after [\d.]+ s)\r?$`)

// lastFailure returns the last message about a step that failed and has not succeeded since, with
// its hint; "" if there is none.
func lastFailure(console string) string {
	last, order := map[string]string{}, []string(nil)
	for _, f := range again.FindAllStringSubmatch(console, -1) {
		line, step := strings.TrimSuffix(f[0], "\r"), f[1]
		last[step] = line
		order = append(order, step)
	}
	for _, step := range slices.Backward(order) {
		if line := last[step]; !strings.HasPrefix(line, "iscsiroot: "+step+": succeeded after ") {
			return strings.TrimPrefix(line, "iscsiroot: ")
		}
	}
	return ""
}

// ranOut is the error of a machine for which the time is over, or which a signal ended: what the
// boot was stopped by comes first.
func ranOut(why error, console, tail string) error {
	if failure := lastFailure(console); failure != "" {
		return fmt.Errorf("%s\n  %w; the console's last lines:\n%s", failure, why, tail)
	}
	return fmt.Errorf("%w; the console's last lines:\n%s", why, tail)
}

// cause is a failure's message on the console: its first line, and the hint.
func cause(text string) string {
	first, second, _ := strings.Cut(strings.TrimSpace(text), "\n")
	if strings.Contains(second, "hint: ") {
		return first + "\n  " + second
	}
	return first
}

// steps returns the times of init's steps.
func steps(console string) []Step {
	var out []Step
	for _, f := range regexp.MustCompile(`step (\S+) done in ([\d.]+) s`).FindAllStringSubmatch(console, -1) {
		took, err := time.ParseDuration(f[2] + "s")
		if err == nil {
			out = append(out, Step{f[1], took})
		}
	}
	return out
}
