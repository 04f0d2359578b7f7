package sequence

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/contain"
	"github.com/iscsiroot/iscsiroot/pkg/internal/steptest"
)

// trace records when steps begin and end.
type trace struct{ *steptest.Trace }

func newTrace() *trace { return &trace{steptest.NewTrace()} }

// step takes d of the test's time, or less if it is cancelled, and returns err.
func (tr *trace) step(name string, d time.Duration, err error, needs ...string) Step {
	return Step{Name: name, Needs: needs, Run: func(ctx context.Context) error {
		tr.Note("begin " + name)
		defer tr.Note("end " + name)
		select {
		case <-time.After(d):
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}}
}

// A step begins when the last step that it needs is done, and steps that do not need each other run
// concurrently.
func TestRunnerOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTrace()
		r := Runner{Log: &steptest.Recorder{}, Steps: []Step{
			tr.step("last", 1*time.Second, nil, "slow", "quick"), // order in the list does not matter
			tr.step("first", 1*time.Second, nil),
			tr.step("slow", 5*time.Second, nil, "first"),
			tr.step("quick", 3*time.Second, nil, "first"),
			tr.step("alone", 2*time.Second, nil),
		}}
		if f := r.Run(t.Context()); f != nil {
			t.Fatal(f)
		}
		tr.Check(t, `
0s begin alone
0s begin first
1s begin quick
1s begin slow
1s end first
2s end alone
4s end quick
6s begin last
6s end slow
7s end last`)
	})
}

// The first failure ends the running steps, no step starts after it, and it is the one that is
// returned.
func TestRunnerFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTrace()
		cause := errors.New("no such root")
		r := Runner{Log: &steptest.Recorder{}, Steps: []Step{
			tr.step("root", 3*time.Second, WithHint(cause, "correct root=")),
			tr.step("drivers", time.Hour, nil),
			tr.step("modules", 1*time.Second, nil),
			tr.step("mount", 1*time.Second, nil, "root"),
			tr.step("other", 1*time.Second, nil, "drivers"),
		}}
		f := r.Run(t.Context())
		if f == nil || f.Step != "root" || !errors.Is(f, cause) || f.Hint != "correct root=" || f.Elapsed != 3*time.Second {
			t.Fatalf("failure is %+v", f)
		}
		if want := "step root failed after 3.0 s: no such root"; f.Error() != want {
			t.Errorf("failure is %q, want %q", f, want)
		}
		tr.Check(t, `
0s begin drivers
0s begin modules
0s begin root
1s end modules
3s end drivers
3s end root`)
	})
}

// A bug in a step is that step's failure, and is not tried again.
func TestRunnerPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		r := Runner{Log: &steptest.Recorder{}, Steps: []Step{{Name: "login", Grace: time.Hour, Run: func(context.Context) error {
			tries++
			panic("no such session")
		}}}}
		f := r.Run(t.Context())
		var p *contain.PanicError
		if !errors.As(f, &p) || f.Step != "login" || tries != 1 {
			t.Fatalf("failure is %+v after %d tries", f, tries)
		}
		if want := "internal error: panic: no such session"; p.Error() != want {
			t.Errorf("error is %q, want %q", p, want)
		}
		if !strings.Contains(p.Stack, "TestRunnerPanic") {
			t.Errorf("the stack does not show where: %s", p.Stack)
		}
	})
}

// A step with a need that is not in the list fails, and does not hang.
func TestRunnerUnmetNeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTrace()
		r := Runner{Log: &steptest.Recorder{}, Steps: []Step{
			tr.step("a", time.Second, nil),
			tr.step("b", time.Second, nil, "a", "nobody"),
		}}
		f := r.Run(t.Context())
		if f == nil || f.Error() != "step b failed after 0.0 s: needs a step that is not in the list" {
			t.Errorf("failure is %v", f)
		}
		tr.Check(t, "0s begin a\n1s end a")
	})
}

// Ending the runner's context ends every step.
func TestRunnerCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		tr := newTrace()
		r := Runner{Log: &steptest.Recorder{}, Steps: []Step{
			tr.step("a", time.Hour, nil),
			{Name: "b", Run: func(context.Context) error { return &passing{errors.New("no route")} }},
		}}
		f := r.Run(ctx)
		if f == nil || time.Since(tr.Began) != 5*time.Second {
			t.Errorf("failure is %v after %v", f, time.Since(tr.Began))
		}
	})
}
