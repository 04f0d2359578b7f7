package debug

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/shell/control"
	"github.com/iscsiroot/iscsiroot/pkg/shell/verb"
)

// The verbs send their requests to process 1 over the shell's socket, which answers them.
func TestVerbs(t *testing.T) {
	c, _ := conversationOf(t, goodLine)
	var ended []string
	c.m.Power = func(e bootspec.Emergency) { ended = append(ended, string(e)) }
	c.m.PowerNow = func(e bootspec.Emergency) error {
		ended = append(ended, string(e)+" now")
		return errors.New("reboot: not permitted")
	}
	ours, shells, err := control.Pair()
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.FcntlInt(shells.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	_ = shells.Close()
	served := make(chan struct{})
	go func() { defer close(served); control.Serve(ours, c.answer) }()
	verbs := Verbs(control.NewClient(fd))
	retry := verbs[slices.IndexFunc(verbs, func(v verb.Verb) bool { return v.Name == "retry" })]
	if got := retry.Complete(); !slices.Contains(got, "login") {
		t.Errorf("steps to complete: %q", got)
	}
	for _, tt := range []struct {
		command, text, err string
		ended              string
		steps              string // that are done again
	}{
		{"steps", "modules        could start now\n", "", "", ""},
		{"explain", "iscsi_a=", "", "", ""},
		{"poweroff", "", "", "poweroff", ""},
		{"reboot", "", "", "reboot", ""},
		{"reboot -f", "", "reboot: not permitted", "reboot now", ""},
		{"poweroff -f", "", "reboot: not permitted", "poweroff now", ""},
		{"retry lunch", "", "no such step lunch", "", ""},
		{"retry network", "", verb.ErrLeave.Error(), "", "network"},
		{"login 10.0.0.9:3261 iqn.2007-01.com.example:c", "", verb.ErrLeave.Error(), "", "login session"},
		{"login 10.0.0.9 iqn.2007-01.com.example:c more", "", "too many arguments", "", ""},
	} {
		ended, c.resume.Steps = nil, nil
		words := strings.Fields(tt.command)
		v := verbs[slices.IndexFunc(verbs, func(v verb.Verb) bool { return v.Name == words[0] })]
		var out strings.Builder
		err := v.Run(context.Background(), &verb.Call{Name: v.Name, Args: words[1:], Out: &out, Err: &out})
		if (err != nil) != (tt.err != "") || err != nil && !strings.Contains(err.Error(), tt.err) || !strings.Contains(out.String(), tt.text) {
			t.Errorf("%s: %q, error %v, want %q, %q", tt.command, out.String(), err, tt.text, tt.err)
		}
		if got := strings.Join(ended, " "); got != tt.ended || strings.Join(c.resume.Steps, " ") != tt.steps {
			t.Errorf("%s: the machine was ended by %q, steps %q, want %q, %q", tt.command, got, c.resume.Steps, tt.ended, tt.steps)
		}
	}
	_ = ours.Close()
	<-served
	if err := verbs[1].Run(context.Background(), &verb.Call{Name: "steps"}); err == nil {
		t.Error("process 1 answers after its end")
	}
}
