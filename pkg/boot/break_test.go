package boot

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// At a break nothing new starts, what runs comes to its end, the shell opens
// with nothing running, and afterwards all goes on.
func TestBreakHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTrace()
		r := Runner{
			Log: &recorder{},
			Steps: []Step{
				tr.step("long", 5*time.Second, nil),
				tr.step("short", 1*time.Second, nil),
				tr.step("login", 1*time.Second, nil, "short"),
				tr.step("free", 1*time.Second, nil, "short"), // could start at 1 s
				tr.step("after", 1*time.Second, nil, "login", "free"),
			},
			Break: []string{"login"},
			OnBreak: func(step string) Resume {
				tr.note("shell before " + step)
				time.Sleep(100 * time.Second)
				return Resume{}
			},
		}
		if f := r.Run(t.Context()); f != nil {
			t.Fatal(f)
		}
		checkTrace(t, tr, `
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

// Several breaks open a shell each, once, also if two are due together; a
// failure before a break leaves no shell.
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
					Log: &recorder{},
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

// dracut's names stand for ours, and a name of ours for itself.
func TestBreakpoints(t *testing.T) {
	tests := []struct{ text, want string }{
		{"quiet", ""},
		{"rd.break", "switch-root"},
		{"rd.break=login", "login"},
		{"rd.break=cmdline", "modules"},
		{"rd.break=pre-udev", "modules"},
		{"rd.break=pre-trigger", "drivers"},
		{"rd.break=initqueue", "login"},
		{"rd.break=pre-mount", "mount"},
		{"rd.break=mount", "mount"},
		{"rd.break=pre-pivot", "switch-root"},
		{"rd.break=cleanup", "switch-root"},
		{"rd.break=network rd.break=root,check", "network root check"},
	}
	for _, tt := range tests {
		m := Machine{}
		log, logged := fileLog(t)
		m.Log = log
		var err error
		if m.Plan, err = bootspec.Parse(cmdline.Parse(tt.text)); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(m.breakpoints(m.Steps()), " "); got != tt.want || logged() != "" {
			t.Errorf("%s: breaks before %q, want %q; log %q", tt.text, got, tt.want, logged())
		}
	}
}

// A break point that there is none of is reported with those there are.
func TestBreakpointUnknown(t *testing.T) {
	m := Machine{}
	log, logged := fileLog(t)
	m.Log = log
	m.Plan.Policy.Break = []bootspec.Value[string]{{V: "lunch", From: "rd.break="}, {V: "login", From: "rd.break="}}
	if got := m.breakpoints(m.Steps()); len(got) != 1 || got[0] != "login" {
		t.Errorf("breaks before %q, want login", got)
	}
	want := "<4>iscsiroot: rd.break=lunch: no such step, there is " + strings.Join(stepNames(m.Steps()), ", ") + "\n"
	if logged() != want {
		t.Errorf("log is %q, want %q", logged(), want)
	}
	for dracut, step := range dracutSteps {
		if !hasStep(m.Steps(), step) {
			t.Errorf("dracut's %s stands for %s, and there is no such step", dracut, step)
		}
	}
}

// A step that tries again for ever does not keep the shell shut: it is named
// as running.
func TestBreakBesideEndlessStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTrace()
		log := &recorder{}
		r := Runner{
			Log: log,
			Steps: []Step{
				tr.step("network", time.Hour, nil),
				tr.step("session", time.Second, nil),
				tr.step("login", time.Second, nil, "session"),
			},
			Break:   []string{"login"},
			OnBreak: func(step string) Resume { tr.note("shell before " + step); return Resume{} },
		}
		if f := r.Run(t.Context()); f != nil {
			t.Fatal(f)
		}
		checkTrace(t, tr, `
0s begin network
0s begin session
1h0m0s end network
1s end session
6s begin login
6s shell before login
7s end login`)
		if diff := cmp.Diff([]string{"info still running: network"}, log.lines()); diff != "" {
			t.Errorf("log -want +got:\n%s", diff)
		}
	})
}
