package sequence

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/internal/steptest"
)

// passing is a retryable error.
type passing struct{ error }

func (*passing) Retryable() bool { return true }
func (h *passing) Unwrap() error { return h.error }

// failing is a step that fails n times, then succeeds.
func failing(name string, n int, err error) (Step, *int) {
	tries := 0
	return Step{Name: name, Run: func(context.Context) error {
		if tries++; tries <= n {
			return err
		}
		return nil
	}}, &tries
}

// A retryable error is retried until the step succeeds, however long that takes.
func TestRetryable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		step, tries := failing("login", 3000, fmt.Errorf("connect: %w", &passing{errors.New("no route")}))
		r := Runner{Log: &steptest.Recorder{}, Steps: []Step{step}}
		if f := r.Run(t.Context()); f != nil || *tries != 3001 {
			t.Errorf("failure is %v after %d tries", f, *tries)
		}
		if d := time.Since(began); d < 3*time.Hour || d > 5*time.Hour {
			t.Errorf("3000 tries took %v, want about 5 s each", d)
		}
	})
}

// A step with another error is tried once, or for as long as its Grace.
func TestGrace(t *testing.T) {
	tests := []struct{ patience, least, most time.Duration }{
		{0, 0, 0},
		{3 * time.Second, 3 * time.Second, 3*time.Second + MaxPause*3/2},
		{30 * time.Second, 30 * time.Second, 30*time.Second + MaxPause*3/2},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			step, tries := failing("disk", 1000, errors.New("no such device"))
			step.Grace = tt.patience
			r := Runner{Log: &steptest.Recorder{}, Steps: []Step{step}}
			f := r.Run(t.Context())
			if f == nil || f.Elapsed < tt.least || f.Elapsed > tt.most {
				t.Errorf("patience %v: failure is %v, want it after %v to %v", tt.patience, f, tt.least, tt.most)
			}
			if (*tries == 1) != (tt.patience == 0) {
				t.Errorf("patience %v: %d tries", tt.patience, *tries)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		step, _ := failing("disk", 3, errors.New("no such device"))
		step.Grace = 30 * time.Second
		r := Runner{Log: &steptest.Recorder{}, Steps: []Step{step}}
		if f := r.Run(t.Context()); f != nil {
			t.Errorf("a device that comes late: %v", f)
		}
	})
}

// A step's Timeout is for each attempt.
func TestTimeoutOfATry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		began := time.Now()
		r := Runner{Log: &steptest.Recorder{}, Steps: []Step{{Name: "network", Timeout: 10 * time.Second, Grace: 25 * time.Second, Run: func(ctx context.Context) error {
			tries++
			now := time.Now()
			<-ctx.Done()
			if d := time.Since(now); d != 10*time.Second {
				t.Errorf("try %d ended after %v", tries, d)
			}
			return fmt.Errorf("network: %w", ctx.Err())
		}}}}
		f := r.Run(t.Context())
		if !errors.Is(f, context.DeadlineExceeded) || tries != 3 || time.Since(began) < 30*time.Second {
			t.Errorf("failure is %v after %d tries", f, tries)
		}
	})
}

// rd.timeout= counts from the beginning of the boot, not of the step, and its error wraps the last
// one.
func TestTimeoutGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTrace()
		step, _ := failing("login", 1000, &passing{errors.New("no route")})
		step.Needs = []string{"network"}
		r := Runner{Log: &steptest.Recorder{}, Timeout: 90 * time.Second, Steps: []Step{tr.step("network", 60*time.Second, nil), step}}
		f := r.Run(t.Context())
		if f == nil || f.Step != "login" {
			t.Fatalf("failure is %v", f)
		}
		if want := ": gave up after 90 s (rd.timeout=): no route"; !strings.HasSuffix(f.Error(), want) {
			t.Errorf("failure is %q, want %q at its end", f, want)
		}
		if d := time.Since(tr.Began); d < 90*time.Second || d > 90*time.Second+MaxPause*3/2 {
			t.Errorf("gave up after %v", d)
		}
	})
}

// rd.timeout= does not end a step that has not failed.
func TestTimeoutIsForRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTrace()
		r := Runner{Log: &steptest.Recorder{}, Timeout: time.Second, Steps: []Step{tr.step("a", time.Minute, nil), tr.step("b", time.Minute, nil, "a")}}
		if f := r.Run(t.Context()); f != nil {
			t.Error(f)
		}
	})
}

// A failing step is logged immediately, after ten seconds, and then once a minute, by lines that
// quiet does not hide.
func TestRetryLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &steptest.Recorder{}
		n := RetryLog{Log: log, Step: "login"}
		for i := range 200 {
			text := "no route"
			if i%20 == 10 || i == 0 {
				text = "login: no route" // the step is named once
			}
			n.Failed(WithHint(fmt.Errorf("%s (%d)", text, i), "check the gateway"))
			time.Sleep(time.Second)
		}
		n.Succeeded()
		want := []string{
			"error login: no route (0): trying again: check the gateway",
			"error login: still trying after 10 s: no route (10): check the gateway",
			"error login: still trying after 70 s: no route (70): check the gateway",
			"error login: still trying after 130 s: no route (130): check the gateway",
			"error login: still trying after 190 s: no route (190): check the gateway",
			"info login: succeeded after 200.0 s",
		}
		if diff := cmp.Diff(want, log.Lines()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

// A step that succeeds at its first attempt is logged at level debug only.
func TestRetryLogOfSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &steptest.Recorder{}
		tr := newTrace()
		r := Runner{Log: log, Steps: []Step{tr.step("a", 1500*time.Millisecond, nil)}}
		if f := r.Run(t.Context()); f != nil {
			t.Fatal(f)
		}
		if len(log.Lines()) != 0 || len(log.All()) != 1 || log.All()[0] != "debug step a done in 1.500 s" {
			t.Errorf("log is %q", log.All())
		}
	})
}

// Pauses double from a quarter of a second to five, each up to a half longer or shorter.
func TestBackoff(t *testing.T) {
	var b Backoff
	for i, want := range []time.Duration{250, 500, 1000, 2000, 4000, 5000, 5000, 5000} {
		want *= time.Millisecond
		if got := b.next(); got < want/2 || got > want*3/2 {
			t.Errorf("pause %d is %v, want %v more or less", i, got, want)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		b.Wait(ctx) // more than two seconds by now
		if d := time.Since(began); d != time.Second {
			t.Errorf("waited %v after the end of the context", d)
		}
	})
}
