package sequence

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/internal/steptest"
)

// hang is a step in a system call that returns when release is closed, even if the step's context
// has ended.
func hang(name string, release <-chan struct{}, needs ...string) Step {
	return Step{Name: name, Needs: needs, Run: func(ctx context.Context) error {
		defer Blocking(ctx, "mount of sda2")()
		<-release
		return ctx.Err()
	}}
}

// A step in a system call is logged after ten seconds, then once a minute, with what it may wait
// for; the time at the shell does not count.
func TestStuckIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release, log, began := make(chan struct{}), &steptest.Recorder{}, time.Now()
		r := Runner{
			Log: log, Steps: []Step{hang("mount", release)},
			Beside: func() string { return fmt.Sprintf("session 1 down for %d s", int(time.Since(began).Seconds())-1) },
		}
		time.AfterFunc(135*time.Second, func() { close(release) })
		if f := r.Run(t.Context()); f != nil {
			t.Fatal(f)
		}
		want := []string{
			"error step mount: in mount of sda2 for 10 s; session 1 down for 9 s",
			"error step mount: in mount of sda2 for 70 s; session 1 down for 69 s",
			"error step mount: in mount of sda2 for 130 s; session 1 down for 129 s",
		}
		if got := log.Lines(); !slices.Equal(got, want) {
			t.Errorf("log\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

// A step that exceeds its Timeout is logged too.
func TestOverdueIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &steptest.Recorder{}
		r := Runner{Log: log, Steps: []Step{{Name: "disk", Timeout: 20 * time.Second, Run: func(context.Context) error {
			time.Sleep(40 * time.Second)
			return nil
		}}}}
		if f := r.Run(t.Context()); f != nil {
			t.Fatal(f)
		}
		if got, want := log.Lines(), []string{"error step disk: in one attempt for 30 s"}; !slices.Equal(got, want) {
			t.Errorf("log %q, want %q", got, want)
		}
	})
}

// A failure is shown immediately, and the boot ends soon after, even if another step hangs.
func TestFailureBesideStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release, began := make(chan struct{}), time.Now()
		defer close(release)
		var shown time.Duration
		cause := errors.New("no such root")
		r := Runner{
			Log:       &steptest.Recorder{},
			Steps:     []Step{hang("drivers", release), newTrace().step("root", 3*time.Second, cause)},
			OnFailing: func(*Failure) { shown = time.Since(began) },
		}
		f := r.Run(t.Context())
		if f == nil || f.Step != "root" || !errors.Is(f, cause) {
			t.Errorf("failure is %v", f)
		}
		if ended := time.Since(began); shown != 3*time.Second || ended != shown+breakLimit {
			t.Errorf("shown after %v, ended after %v", shown, ended)
		}
	})
}

// rd.timeout= ends a boot that hangs, whether the step was in its system call when the time was
// over, or began it later.
func TestTimeoutHoldsForStuck(t *testing.T) {
	for _, tt := range []struct {
		name         string
		limit, shown time.Duration
		before       time.Duration // of the step, until it hangs
	}{
		{"before", 30 * time.Second, 30 * time.Second, 0},
		{"not for long yet", 5 * time.Second, 10 * time.Second, 0},
		{"later", 5 * time.Second, 25 * time.Second, 15 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release, began := make(chan struct{}), time.Now()
				defer close(release)
				var shown time.Duration
				r := Runner{
					Log: &steptest.Recorder{}, Timeout: tt.limit, OnFailing: func(*Failure) { shown = time.Since(began) },
					Steps: []Step{newTrace().step("first", tt.before, nil), hang("mount", release, "first")},
				}
				f := r.Run(t.Context())
				want := fmt.Sprintf("gave up after %d s (rd.timeout=): in mount of sda2 for", int(tt.limit.Seconds()))
				if f == nil || f.Step != "mount" || !strings.Contains(f.Error(), want) {
					t.Errorf("failure is %v, want %q in it", f, want)
				}
				if shown != tt.shown {
					t.Errorf("shown after %v, want %v", shown, tt.shown)
				}
			})
		})
	}
}

// A boot that makes progress is not ended by rd.timeout=.
func TestTimeoutLeavesProgressAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := Runner{Log: &steptest.Recorder{}, Timeout: 5 * time.Second, Steps: []Step{newTrace().step("slow", time.Minute, nil)}}
		if f := r.Run(t.Context()); f != nil {
			t.Error(f)
		}
	})
}

// A step that hangs is not started a second time, and nothing that it may read is changed
// meanwhile; when it returns, it runs again.
func TestRetryBesideStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release, log, runs, tries := make(chan struct{}), &steptest.Recorder{}, 0, 0
		mount := hang("mount", release)
		run := mount.Run
		mount.Run = func(ctx context.Context) error { runs++; return run(ctx) }
		r := Runner{
			Log: log,
			Steps: []Step{mount, {Name: "other", Run: func(context.Context) error {
				if tries++; tries == 1 {
					return errors.New("broken")
				}
				close(release)
				return nil
			}}},
			OnFailure: func(*Failure) (Resume, bool) {
				return Resume{Steps: []string{"other"}, Prepare: func() []string { t.Error("changed under a step that runs"); return nil }}, true
			},
		}
		if f := r.Run(t.Context()); f != nil {
			t.Fatal(f)
		}
		if runs != 2 || tries != 2 {
			t.Errorf("%d runs of what hung, %d of the other", runs, tries)
		}
		if !slices.ContainsFunc(log.Lines(), func(l string) bool { return strings.Contains(l, "mount: does not end") }) {
			t.Errorf("log %q", log.Lines())
		}
	})
}

// Grace begins anew after a retryable error.
func TestGraceAfterRetryable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		r := Runner{Log: &steptest.Recorder{}, Steps: []Step{{Name: "disk", Grace: 30 * time.Second, Run: func(context.Context) error {
			switch since := time.Since(began); {
			case since < time.Minute:
				return &passing{errors.New("session 1 is down")}
			case since < 80*time.Second:
				return errors.New("no disk")
			}
			return nil
		}}}}
		if f := r.Run(t.Context()); f != nil {
			t.Error(f)
		}
	})
}
