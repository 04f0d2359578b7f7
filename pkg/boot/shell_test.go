package boot

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
	"github.com/iscsiroot/iscsiroot/pkg/shell/control"
)

// The watch stands still at the shell, and so does every deadline.
func TestStopwatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newStopwatch()
		began := time.Now()
		ctx, cancel := w.withTimeout(t.Context(), 10*time.Second)
		defer cancel()
		child, cancelChild := context.WithTimeout(ctx, 9*time.Hour)
		defer cancelChild()
		time.Sleep(4 * time.Second)
		w.stop()
		late, cancelLate := w.withTimeout(t.Context(), 3*time.Second)
		defer cancelLate()
		time.Sleep(time.Hour)
		if ctx.Err() != nil || w.elapsed() != 4*time.Second {
			t.Errorf("%v after %v", ctx.Err(), w.elapsed())
		}
		w.goOn()
		<-late.Done()
		if d := time.Since(began); d != time.Hour+7*time.Second {
			t.Errorf("a deadline made meanwhile was over after %v", d)
		}
		<-child.Done()
		if d := time.Since(began); d != time.Hour+10*time.Second || !errors.Is(ctx.Err(), context.DeadlineExceeded) || !errors.Is(child.Err(), context.DeadlineExceeded) {
			t.Errorf("over after %v: %v, %v", d, ctx.Err(), child.Err())
		}
		parent, cancelParent := context.WithCancel(t.Context())
		sub, cancelSub := w.withTimeout(parent, time.Hour)
		cancelParent()
		<-sub.Done()
		if !errors.Is(sub.Err(), context.Canceled) {
			t.Error(sub.Err())
		}
		cancelSub()
		if len(w.deadlines) != 2 {
			t.Errorf("%d deadlines", len(w.deadlines))
		}
	})
}

// resumes answers each opening of the shell with the next Resume.
func resumes(tr *trace, list ...Resume) func(string) Resume {
	return func(step string) Resume {
		tr.note("shell before " + step)
		time.Sleep(time.Hour)
		if len(list) == 0 {
			return Resume{}
		}
		r := list[0]
		list = list[1:]
		return r
	}
}

// A step is done again with all that need it, what runs beside it goes on, and
// a break at what needs it comes again.
func TestRetryAtBreak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTrace()
		r := Runner{
			Log: &recorder{},
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
		checkTrace(t, tr, `
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

// What a person changes is changed with nothing running, and what he has done
// by hand is not done again.
func TestRetryPrepares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTrace()
		fails := errors.New("no such root")
		r := Runner{
			Log: &recorder{},
			Steps: []Step{
				tr.step("drivers", 5*time.Second, nil),
				{Name: "root", Run: func(context.Context) error { tr.note("root"); return fails }},
				{Name: "mount", Needs: []string{"root"}, Run: func(context.Context) error { t.Error("mounted"); return nil }},
				tr.step("check", time.Second, nil, "mount"),
			},
			OnFailure: func(f *Failure) (Resume, bool) {
				tr.note("shell: " + f.Err.Error())
				return Resume{Steps: []string{"root"}, Prepare: func() []string { tr.note("prepare"); return []string{"root", "mount"} }}, true
			},
		}
		if f := r.Run(t.Context()); f != nil {
			t.Fatal(f)
		}
		checkTrace(t, tr, `
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

// A failure that nobody has a way out of ends the run.
func TestFailureStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		r := Runner{Log: &recorder{}, Steps: []Step{{Name: "a", Run: func(context.Context) error { return errors.New("broken") }}}}
		r.OnFailure = func(*Failure) (Resume, bool) { asked++; return Resume{}, asked < 3 }
		if f := r.Run(t.Context()); f == nil || asked != 3 {
			t.Errorf("%v, asked %d times", f, asked)
		}
	})
}

// A step that keeps failing says so after a while, and a person can come in.
func TestAttention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		attention := make(chan struct{})
		stuck, tries, opened := 0, 0, 0
		r := Runner{Log: &recorder{}, Attention: attention, Steps: []Step{{Name: "login", Run: func(context.Context) error {
			if tries++; opened > 0 {
				return nil
			}
			return &heal{errors.New("no route")}
		}}}}
		r.OnStuck = func(step string) {
			if stuck++; stuck == 1 {
				go func() { attention <- struct{}{} }()
			}
		}
		r.OnBreak = func(step string) Resume {
			if opened++; step != "" || !slices.Equal(r.Progress.troubled(), []string{"login"}) || r.Progress.failure("login") == nil {
				t.Errorf("opened at %q, troubled %q", step, r.Progress.troubled())
			}
			return Resume{Steps: []string{"login"}}
		}
		if f := r.Run(t.Context()); f != nil || opened != 1 || stuck == 0 {
			t.Errorf("%v, opened %d times, stuck %d times", f, opened, stuck)
		}
	})
}

// conversationOf is PID 1's side of a shell, with steps of its own.
func conversationOf(t *testing.T, line string) (*conversation, *Machine) {
	t.Helper()
	m := &Machine{progress: &Progress{}}
	m.Log, _ = fileLog(t)
	m.params = bootspec.Add(cmdline.Parse(line), cmdline.Parse(""), bootspec.FromPolicy)
	var err error
	if m.Plan, err = bootspec.Parse(m.params); err != nil {
		t.Fatal(err)
	}
	m.progress.begin(m.Steps(), newStopwatch())
	return m.newConversation("hello\n", "login"), m
}

const goodLine = "iscsi_i=iqn.2007-01.com.example:a iscsi_i_ip=10.0.0.2/24 iscsi_t=iqn.2007-01.com.example:b iscsi_a=10.0.0.1"

func TestConversation(t *testing.T) {
	for _, tt := range []struct {
		request string
		kind    control.Kind
		text    string
		steps   string
	}{
		{"hello", control.OK, "hello\n", ""},
		{"steps", control.OK, "modules        could start now\n", ""},
		{"explain", control.OK, "portal 10.0.0.1:3260 (iscsi_a=)", ""},
		{"error login", control.OK, "", ""},
		{"history", control.OK, "", ""},
		{"password x", control.OK, "hello\n", ""},
		{"frobnicate", control.Failed, `unknown request "frobnicate"`, ""},
		{"retry", control.Leave, "trying again", ""},
		{"retry lunch", control.Failed, "no such step lunch, there is modules", ""},
		{"retry network", control.Leave, "", "network"},
		{"retry root=/dev/sdb1", control.Leave, "", "root"},
		{"retry disk root=/dev/sdb1 init=/bin/sh", control.Leave, "", "disk root check"},
		{"retry root=hda", control.Failed, "(byte 0 of the shell)", ""},
		{"retry iscsi_i_ip=10.0.0.3/24", control.Leave, "", "network"},
		{"login", control.Leave, "", "login"},
		{"login iscsi_a=10.0.0.9", control.Leave, "", "login session"},
		{"login iscsi_a=x:y:z", control.Failed, "parameter iscsi_a", ""},
	} {
		c, _ := conversationOf(t, goodLine)
		a := c.answer(control.Request(strings.Fields(tt.request)))
		if a.Kind != tt.kind || !strings.Contains(a.Text, tt.text) || (a.Kind == control.Leave) != c.asked || strings.Join(c.resume.Steps, " ") != tt.steps {
			t.Errorf("%s: answer %+v, steps %q, want %s %q %q", tt.request, a, c.resume.Steps, tt.kind, tt.text, tt.steps)
		}
		if tt.request == "login" && c.resume.Break != "disk" {
			t.Errorf("login: the shell does not come back but at %q", c.resume.Break)
		}
	}
}

// What is retried is planned anew, with what was given at the shell last.
func TestPrepare(t *testing.T) {
	c, m := conversationOf(t, goodLine)
	c.answer(control.Request{"retry", "root=/dev/sdb1", "rootflags=a=1 b=2"})
	if m.Plan.Root.Device.Given() {
		t.Error("the plan changed before the shell was left")
	}
	c.resume.Prepare()
	if got := m.Plan.Root; got.Device.V.String() != "/dev/sdb1" || got.Device.From != "root= in the shell" || got.Flags.V != "a=1 b=2" {
		t.Errorf("root is %+v", got)
	}
}

// After the hand-over no other login is possible, and the shell says so.
func TestHandedOver(t *testing.T) {
	c, m := conversationOf(t, goodLine)
	m.handedOver = true
	for _, request := range []control.Request{{"login"}, {"retry", "session"}, {"retry", "iscsi_lun=3"}} {
		if a := c.answer(request); a.Kind != control.Failed || c.asked || c.resume.Prepare != nil {
			t.Errorf("%q: answer %+v", request, a)
		}
	}
}

// Nothing is answered before the password, and after three the shell ends.
func TestPassword(t *testing.T) {
	_, m := conversationOf(t, goodLine)
	// By openssl passwd -6 -salt u8.
	m.Plan.Policy.Password = bootspec.Value[bootspec.Hash]{V: "$6$u8$PYOCT4ZLchZc7Np1ML8GcSrWDya08E.//LCZl8jQmO6agt7yVgWHqK7XBgs.s008hYh/5nDLZGJP4rWVXn8uo0", From: "policy"}
	for _, word := range []string{"pässwörd ~", "pässwörd ~\n"} {
		c := m.newConversation("hello\n", "login")
		for _, request := range []control.Request{{"hello"}, {"steps"}, {"reboot"}, {"retry"}, {"history"}} {
			if a := c.answer(request); a.Kind != control.Locked || c.asked {
				t.Errorf("%q: answer %+v", request, a)
			}
		}
		if a := c.answer(control.Request{"password", "x"}); a.Kind != control.Locked {
			t.Errorf("answer %+v", a)
		}
		if a := c.answer(control.Request{"password", word}); a.Kind != control.OK || a.Text != "hello\n" {
			t.Errorf("answer %+v", a)
		}
	}
	for _, hash := range []bootspec.Hash{m.Plan.Policy.Password.V, "plain", ""} {
		m.Plan.Policy.Password.V = hash
		c := m.newConversation("hello\n", "login")
		var kinds []control.Kind
		for range 3 {
			kinds = append(kinds, c.answer(control.Request{"password", "plain"}).Kind)
		}
		if !slices.Equal(kinds, []control.Kind{control.Locked, control.Locked, control.Failed}) || !c.locked {
			t.Errorf("%s: answers %v", string(hash), kinds)
		}
	}
}

func TestRemember(t *testing.T) {
	c, _ := conversationOf(t, goodLine)
	for i := range 2 * maxTyped {
		c.answer(control.Request{"remember", fmt.Sprintf("line %d\n%s", i, strings.Repeat("x", maxLine))})
	}
	lines := strings.Split(c.answer(control.Request{"history"}).Text, "\n")
	if len(lines) != maxTyped || !strings.HasPrefix(lines[0], "line 100 x") || len(lines[0]) != maxLine {
		t.Errorf("%d lines, the first is %.20q", len(lines), lines[0])
	}
}

// Every step has three commands that may help.
func TestRemedies(t *testing.T) {
	table := remedies()
	for _, step := range stepNames((&Machine{}).Steps()) {
		if _, ok := table[step]; !ok {
			t.Errorf("no remedies for step %s", step)
		}
	}
	for step, three := range table {
		for _, r := range three {
			if r.command == "" || r.why == "" {
				t.Errorf("step %s: remedy %+v", step, r)
			}
		}
		if strings.Count(advice(step), "\n") != 4 {
			t.Errorf("step %s: %s", step, advice(step))
		}
	}
}

// Of several terminals the first with a line is taken, and the others are let
// go of.
func TestFirstEnter(t *testing.T) {
	var readers, writers []*os.File
	for range 3 {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _, _ = r.Close(), w.Close() }()
		readers, writers = append(readers, r), append(writers, w)
	}
	_ = writers[0].Close() // has hung up
	_, _ = writers[2].WriteString("\n")
	got, err := firstEnter(t.Context(), readers)
	if err != nil || got != readers[2] {
		t.Errorf("got %v, %v", got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := firstEnter(ctx, readers); err == nil || got != nil {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestMountedDevice(t *testing.T) {
	table := "proc /proc proc rw 0 0\n/dev/sda1 /sysroot ext2 ro 0 0\n/dev/sda2 /sysroot ext4 ro 0 0\n"
	if dev, fs := mountedDevice(table, "/sysroot"); dev != "/dev/sda2" || fs != "ext4" {
		t.Errorf("%s %s", dev, fs)
	}
	if dev, _ := mountedDevice("", "/sysroot"); dev != "" {
		t.Error(dev)
	}
}
