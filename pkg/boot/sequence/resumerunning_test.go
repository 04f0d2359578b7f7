package sequence

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/internal/steptest"
)

// A step that runs and is to be repeated is ended before it begins again: it never runs twice at
// once.
func TestRepeatedStepIsEndedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTrace()
		running, runs := 0, 0
		r := Runner{
			Log: &steptest.Recorder{},
			Steps: []Step{
				{Name: "login", Run: func(ctx context.Context) error {
					running++
					runs++
					defer func() { running-- }()
					if running > 1 {
						t.Error("it runs twice at once")
					}
					if runs == 2 {
						return nil
					}
					select {
					case <-ctx.Done():
						return ctx.Err()
					case <-time.After(3 * time.Hour):
						return nil
					}
				}},
				tr.step("modules", time.Second, nil),
				tr.step("drivers", time.Second, nil, "modules"),
			},
			Break:   []string{"drivers"},
			OnBreak: resumes(tr, Resume{Steps: []string{"login"}}, Resume{}),
		}
		began := time.Now()
		if f := r.Run(t.Context()); f != nil || runs != 2 {
			t.Errorf("%v, it ran %d times", f, runs)
		}
		if took := time.Since(began); took > 2*time.Hour {
			t.Errorf("it took %v", took)
		}
	})
}
