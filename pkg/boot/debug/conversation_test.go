package debug

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
	"github.com/iscsiroot/iscsiroot/pkg/kmsg"
	"github.com/iscsiroot/iscsiroot/pkg/shell/control"
)

// steps are some of a boot's.
func steps() []sequence.Step {
	return []sequence.Step{
		{Name: "modules"},
		{Name: "drivers", Needs: []string{"modules"}},
		{Name: "network", Needs: []string{"modules"}},
		{Name: "session", Needs: []string{"modules"}},
		{Name: "login", Needs: []string{"session", "network"}},
		{Name: "disk", Needs: []string{"login"}},
		{Name: "root", Needs: []string{"disk"}},
		{Name: "check", Needs: []string{"root"}},
	}
}

// conversationOf is PID 1's side of a shell, on a machine with steps of its own.
func conversationOf(t *testing.T, line string) (*conversation, *Shell) {
	t.Helper()
	params := bootspec.Add(cmdline.Parse(line), cmdline.Parse(""), bootspec.FromPolicy)
	plan, err := bootspec.Parse(params)
	if err != nil {
		t.Fatal(err)
	}
	m := Machine{
		Log: kmsg.Open(kmsg.Paths{}), Progress: &sequence.Progress{}, Plan: &plan, Params: &params, Parse: bootspec.Parse,
		Modules: func(line cmdline.Line) []string {
			if slices.ContainsFunc(line.Params, func(p cmdline.Param) bool { return p.Key == "e1000.debug" }) {
				return []string{"drivers"}
			}
			return nil
		},
		Refuse: func([]string) error { return nil },
	}
	m.Progress.Begin(steps())
	s := New(m)
	return s.newConversation("hello\n", "login"), s
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
		{"retry lunch", control.Failed, "no such step lunch: the steps are modules", ""},
		{"retry network", control.Leave, "", "network"},
		{"retry root=/dev/sdb1", control.Leave, "", "root"},
		{"retry disk root=/dev/sdb1 init=/bin/sh", control.Leave, "", "disk root check"},
		{"retry root=hda", control.Failed, "(byte 0 of the shell)", ""},
		{"retry iscsi_i_ip=10.0.0.3/24", control.Leave, "", "network"},
		{"retry e1000.debug=1", control.Leave, "", "drivers"},
		{"retry modules e1000.debug=1", control.Leave, "", "modules drivers"},
		{"login", control.Leave, "", "login"},
		{"login iscsi_a=10.0.0.9", control.Leave, "", "login session"},
		{"login iscsi_a=x:y:z", control.Failed, "parameter iscsi_a", ""},
	} {
		c, _ := conversationOf(t, goodLine)
		a := c.answer(control.Request(strings.Fields(tt.request)))
		if a.Kind != tt.kind || !strings.Contains(a.Text, tt.text) || (a.Kind == control.Leave) != c.acted || strings.Join(c.resume.Steps, " ") != tt.steps {
			t.Errorf("%s: answer %+v, steps %q, want %s %q %q", tt.request, a, c.resume.Steps, tt.kind, tt.text, tt.steps)
		}
		if tt.request == "login" && c.resume.Break != "disk" {
			t.Errorf("login: the shell opens again at %q", c.resume.Break)
		}
	}
}

// A retry uses a new plan, made with the parameters of the shell.
func TestPrepare(t *testing.T) {
	c, s := conversationOf(t, goodLine)
	var again []string
	c.m.Prepare = func(params cmdline.Line, plan bootspec.Plan, steps []string) []string {
		*s.m.Params, *s.m.Plan, again = params, plan, steps
		return []string{"root"}
	}
	c.answer(control.Request{"retry", "root=/dev/sdb1", "rootflags=a=1 b=2"})
	if s.m.Plan.Root.Device.Given() {
		t.Error("the plan changed before the shell ended")
	}
	if byHand := c.resume.Prepare(); !slices.Equal(byHand, []string{"root"}) || !slices.Equal(again, []string{"root", "check"}) {
		t.Errorf("prepared for %q, done by hand %q", again, byHand)
	}
	if got := s.m.Plan.Root; got.Device.V.String() != "/dev/sdb1" || got.Device.From != "root= in the shell" || got.Flags.V != "a=1 b=2" {
		t.Errorf("root is %+v", got)
	}
}

// What Machine.Refuse refuses is not repeated, and the shell shows the reason.
func TestRefused(t *testing.T) {
	c, _ := conversationOf(t, goodLine)
	c.m.Refuse = func(steps []string) error {
		if slices.Contains(steps, "login") {
			return errors.New("handed over")
		}
		return nil
	}
	for _, request := range []control.Request{{"login"}, {"retry", "session"}, {"retry", "iscsi_lun=3"}} {
		if a := c.answer(request); a.Kind != control.Failed || a.Text != "handed over" || c.acted || c.resume.Prepare != nil {
			t.Errorf("%q: answer %+v", request, a)
		}
	}
}

// No request is answered before the password, and after three wrong ones the shell ends.
func TestPassword(t *testing.T) {
	_, s := conversationOf(t, goodLine)
	// By openssl passwd -6 -salt u8.
	s.m.Plan.Policy.Password = bootspec.Value[bootspec.Hash]{V: "$6$u8$PYOCT4ZLchZc7Np1ML8GcSrWDya08E.//LCZl8jQmO6agt7yVgWHqK7XBgs.s008hYh/5nDLZGJP4rWVXn8uo0", From: "policy"}
	for _, word := range []string{"pässwörd ~", "pässwörd ~\n"} {
		c := s.newConversation("hello\n", "login")
		for _, request := range []control.Request{{"hello"}, {"steps"}, {"reboot"}, {"retry"}, {"history"}} {
			if a := c.answer(request); a.Kind != control.Locked || c.acted {
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
	for _, hash := range []bootspec.Hash{s.m.Plan.Policy.Password.V, "plain", ""} {
		s.m.Plan.Policy.Password.V = hash
		c := s.newConversation("hello\n", "login")
		var kinds []control.Kind
		for range 3 {
			kinds = append(kinds, c.answer(control.Request{"password", "plain"}).Kind)
		}
		if !slices.Equal(kinds, []control.Kind{control.Locked, control.Locked, control.Failed}) || !c.locked {
			t.Errorf("%s: answers %v", string(hash), kinds)
		}
	}
}

// Of the history the newest lines are kept: at most maxHistory, and as many as fit an answer.
func TestRemember(t *testing.T) {
	for size, first := range map[int]int{1: 100, 2 * control.MaxLine: 200 - (control.MaxAnswer-3+1)/(control.MaxLine+1)} {
		c, _ := conversationOf(t, goodLine)
		for i := range 2 * maxHistory {
			c.answer(control.Request{"remember", fmt.Sprintf("line %d\n%s", i, strings.Repeat("x", size))})
		}
		answer, err := control.ParseAnswer([]byte(c.answer(control.Request{"history"}).String()))
		lines := strings.Split(answer.Text, "\n")
		last := lines[len(lines)-1]
		if err != nil || !strings.HasPrefix(lines[0], fmt.Sprintf("line %d x", first)) || !strings.HasPrefix(last, "line 199 x") || len(last) != min(10+size-1, control.MaxLine) {
			t.Errorf("%d bytes: %d lines, the first is %.20q, the last %.20q, %v", size, len(lines), lines[0], last, err)
		}
	}
}
