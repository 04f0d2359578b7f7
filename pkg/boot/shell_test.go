package boot

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
	"github.com/iscsiroot/iscsiroot/pkg/shell/control"
)

// conversationOf is PID 1's side of a shell, with steps of its own.
func conversationOf(t *testing.T, line string) (*conversation, *Machine) {
	t.Helper()
	m := &Machine{progress: &sequence.Progress{}}
	m.Log, _ = fileLog(t)
	m.params = bootspec.Add(cmdline.Parse(line), cmdline.Parse(""), bootspec.FromPolicy)
	var err error
	if m.Plan, err = bootspec.Parse(m.params); err != nil {
		t.Fatal(err)
	}
	m.progress.Begin(m.Steps())
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
