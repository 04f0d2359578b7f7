package boot

import (
	"slices"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// plannedMachine is a machine whose steps wait.
func plannedMachine(t *testing.T, line string) *Machine {
	t.Helper()
	m := &Machine{progress: &sequence.Progress{}, reaper: newReaper()}
	m.Log, _ = fileLog(t)
	m.wire()
	m.params = bootspec.Add(cmdline.Parse(line), cmdline.Parse(""), bootspec.FromPolicy)
	var err error
	if m.Plan, err = bootspec.Parse(m.params); err != nil {
		t.Fatal(err)
	}
	m.progress.Begin(m.Steps())
	return m
}

// typed returns the parameters with those that were given at the shell.
func (m *Machine) typed(words string) cmdline.Line {
	return bootspec.Add(m.params, cmdline.Parse(words), bootspec.FromShell)
}

const goodLine = "iscsi_i=iqn.2007-01.com.example:a iscsi_i_ip=10.0.0.2/24 iscsi_t=iqn.2007-01.com.example:b iscsi_a=10.0.0.1"

// The plan of the shell is the machine's from then on.
func TestPrepare(t *testing.T) {
	m := plannedMachine(t, goodLine)
	shell := m.debugMachine()
	line := m.typed("root=/dev/sdb1")
	plan, err := shell.Parse(line)
	if err != nil {
		t.Fatal(err)
	}
	if byHand := shell.Prepare(line, plan, []string{"root"}); len(byHand) > 0 {
		t.Errorf("done by hand are %q", byHand)
	}
	if got := shell.Plan.Root; got.Device.V.String() != "/dev/sdb1" || got.Device.From != "root= in the shell" || len(shell.Params.Params) != len(line.Params) {
		t.Errorf("root is %+v, parameters %+v", got, shell.Params)
	}
}

// Retries that log in again are recognized, because the agent does not return the sessions.
func TestRetriesWithLogin(t *testing.T) {
	m := plannedMachine(t, goodLine)
	for step, want := range map[string]bool{"session": true, "network": true, "login": true, "root": false} {
		if got := slices.Contains(m.progress.Following(step), "login"); got != want {
			t.Errorf("%s: a login is repeated: %t", step, got)
		}
	}
}
