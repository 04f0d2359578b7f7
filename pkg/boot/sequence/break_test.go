package sequence

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/internal/steptest"
)

// At a break no step starts, the running ones end, the shell opens while no step runs, and then the
// other steps run.
func TestBreakHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTrace()
		r := Runner{
			Log: &steptest.Recorder{},
			Steps: []Step{
				tr.step("long", 5*time.Second, nil),
				tr.step("short", 1*time.Second, nil),
				tr.step("login", 1*time.Second, nil, "short"),
				tr.step("free", 1*time.Second, nil, "short"), // could start at 1 s
				tr.step("after", 1*time.Second, nil, "login", "free"),
			},
			Break: []string{"login"},
			OnBreak: func(step string) Resume {
				tr.Note("shell before " + step)
				time.Sleep(100 * time.Second)
				return Resume{}
			},
		}
		if f := r.Run(t.Context()); f != nil {
			t.Fatal(f)
		}
		tr.Check(t, `
0s begin long
0s begin short
1m45s begin free
1m45s begin login
1m46s begin after
1m46s end free
1m46s end login
1m47s end after
1s end short
5s end long
5s shell before login`)
	})
}

// Several breaks open a shell each, once, also if two are due together; a failure before a break
// leaves no shell.
func TestBreaks(t *testing.T) {
	tests := []struct {
		name   string
		breaks []string
		failed error
		want   []string
	}{
		{"none", nil, nil, nil},
		{"first and last", []string{"c", "a"}, nil, []string{"a", "c"}},
		{"two at once", []string{"b", "a"}, nil, []string{"a", "b"}},
		{"named twice", []string{"c", "c"}, nil, []string{"c"}},
		{"after a failure", []string{"c"}, errors.New("broken"), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr := newTrace()
				var got []string
				r := Runner{
					Log: &steptest.Recorder{},
					Steps: []Step{
						tr.step("a", time.Second, nil),
						tr.step("b", time.Second, tt.failed),
						tr.step("c", time.Second, nil, "a", "b"),
					},
					Break:   tt.breaks,
					OnBreak: func(step string) Resume { got = append(got, step); return Resume{} },
				}
				if f := r.Run(t.Context()); (f != nil) != (tt.failed != nil) {
					t.Errorf("failure is %v", f)
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("shells -want +got:\n%s", diff)
				}
			})
		})
	}
}

// A step that is retried without end does not keep the shell from opening: it is named as running.
func TestBreakBesideEndlessStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTrace()
		log := &steptest.Recorder{}
		r := Runner{
			Log: log,
			Steps: []Step{
				tr.step("network", time.Hour, nil),
				tr.step("session", time.Second, nil),
				tr.step("login", time.Second, nil, "session"),
			},
			Break:   []string{"login"},
			OnBreak: func(step string) Resume { tr.Note("shell before " + step); return Resume{} },
		}
		if f := r.Run(t.Context()); f != nil {
			t.Fatal(f)
		}
		tr.Check(t, `
0s begin network
0s begin session
1h0m0s end network
1s end session
6s begin login
6s shell before login
7s end login`)
		if diff := cmp.Diff([]string{"info still running: network"}, log.Lines()); diff != "" {
			t.Errorf("log -want +got:\n%s", diff)
		}
	})
}
