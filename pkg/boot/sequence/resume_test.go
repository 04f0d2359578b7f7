package sequence

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/internal/steptest"
)

// resumes answers each opening of the shell with the next Resume.
func resumes(tr *trace, list ...Resume) func(string) Resume {
	return func(step string) Resume {
		tr.Note("shell before " + step)
		time.Sleep(time.Hour)
		if len(list) == 0 {
			return Resume{}
		}
		r := list[0]
		list = list[1:]
		return r
	}
}

// A step is repeated with all that need it, other running steps go on, and a break at a step that
// needs it happens again.
func TestRetryAtBreak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTrace()
		r := Runner{
			Log: &steptest.Recorder{},
			Steps: []Step{
				tr.step("network", 1*time.Second, nil),
				tr.step("login", 1*time.Second, nil, "network"),
				tr.step("endless", 2*time.Hour, nil),
				tr.step("root", 1*time.Second, nil, "login"),
				tr.step("mount", 1*time.Second, nil, "root"),
			},
			Break:   []string{"mount"},
			OnBreak: resumes(tr, Resume{Steps: []string{"login"}}, Resume{}),
		}
		if f := r.Run(t.Context()); f != nil {
			t.Fatal(f)
		}
		tr.Check(t, `
0s begin endless
0s begin network
1h0m10s end root
1h0m15s shell before mount
1h0m8s begin login
1h0m9s begin root
1h0m9s end login
1s begin login
1s end network
2h0m0s end endless
2h0m15s begin mount
2h0m16s end mount
2s begin root
2s end login
3s end root
8s shell before mount`)
	})
}

// Prepare is called while no step runs, and the steps that it returns are not run again.
func TestRetryPrepares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTrace()
		fails := errors.New("no such root")
		r := Runner{
			Log: &steptest.Recorder{},
			Steps: []Step{
				tr.step("drivers", 5*time.Second, nil),
				{Name: "root", Run: func(context.Context) error { tr.Note("root"); return fails }},
				{Name: "mount", Needs: []string{"root"}, Run: func(context.Context) error { t.Error("mounted"); return nil }},
				tr.step("check", time.Second, nil, "mount"),
			},
			OnFailure: func(f *Failure) (Resume, bool) {
				tr.Note("shell: " + f.Err.Error())
				return Resume{Steps: []string{"root"}, Prepare: func() []string { tr.Note("prepare"); return []string{"root", "mount"} }}, true
			},
		}
		if f := r.Run(t.Context()); f != nil {
			t.Fatal(f)
		}
		tr.Check(t, `
0s begin check
0s begin drivers
0s begin drivers
0s end drivers
0s prepare
0s root
0s shell: no such root
1s end check
5s end drivers`)
	})
}

// A failure that is not retried ends the run.
func TestFailureEndsRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		r := Runner{Log: &steptest.Recorder{}, Steps: []Step{{Name: "a", Run: func(context.Context) error { return errors.New("broken") }}}}
		r.OnFailure = func(*Failure) (Resume, bool) { asked++; return Resume{}, asked < 3 }
		if f := r.Run(t.Context()); f == nil || asked != 3 {
			t.Errorf("%v, asked %d times", f, asked)
		}
	})
}

// For a step that keeps failing OnStuck is called, and the shell can be opened by Attention.
func TestAttention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		attention := make(chan struct{})
		stuck, tries, opened := 0, 0, 0
		r := Runner{Log: &steptest.Recorder{}, Attention: attention, Steps: []Step{{Name: "login", Run: func(context.Context) error {
			if tries++; opened > 0 {
				return nil
			}
			return &passing{errors.New("no route")}
		}}}}
		r.OnStuck = func(step string) {
			if stuck++; stuck == 1 {
				go func() { attention <- struct{}{} }()
			}
		}
		r.OnBreak = func(step string) Resume {
			if opened++; step != "" || !slices.Equal(r.Progress.Retrying(), []string{"login"}) || r.Progress.Failure("login") == nil {
				t.Errorf("opened at %q, retrying %q", step, r.Progress.Retrying())
			}
			return Resume{Steps: []string{"login"}}
		}
		if f := r.Run(t.Context()); f != nil || opened != 1 || stuck == 0 {
			t.Errorf("%v, opened %d times, stuck %d times", f, opened, stuck)
		}
	})
}
