package status

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/procstat"
	"github.com/iscsiroot/iscsiroot/pkg/runstate"
)

// iscsidName is the name of open-iscsi's daemon, and of its file.
const iscsidName = "iscsid"

// process is a process in /proc; the zero value is none.
type process struct {
	pid     string
	stopped bool // by a signal, or a debugger
}

func (p process) runs() bool { return p.pid != "" && !p.stopped }

// is returns the state of the process, for a sentence.
func (p process) is() string {
	switch {
	case p.pid == "":
		return "has ended"
	case p.stopped:
		return "is stopped (process " + p.pid + ")"
	}
	return "runs"
}

// agent is the agent's processes, which are found in /proc: the first worker alone while the
// machine starts, supervisor and worker after that.
type agent struct {
	first, supervisor, worker, iscsid process
}

// findAgent looks for them below proc. Of two with the same name, one that runs is used. The
// command line is read only of those that can be the agent's: for a process that waits for a root
// disk without a target the read may not return (fs/proc/base.c: get_mm_cmdline).
func findAgent(proc string) agent {
	var a agent
	paths, _ := filepath.Glob(filepath.Join(proc, "[0-9]*/stat"))
	for _, file := range paths {
		b, err := os.ReadFile(file)
		s, ok := procstat.Parse(string(b))
		if err != nil || !ok || s.Ended() {
			continue
		}
		name := s.Comm
		if runstate.MayBeAgent(name) {
			b, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
			name, _, _ = strings.Cut(string(b), "\x00")
		}
		if p := a.byName(name); p != nil && !p.runs() {
			*p = process{pid: filepath.Base(filepath.Dir(file)), stopped: s.Stopped()}
		}
	}
	return a
}

// byName returns the field of a process; nil: it is not the agent's.
func (a *agent) byName(name string) *process {
	switch name {
	case runstate.FirstName:
		return &a.first
	case runstate.SupervisorName:
		return &a.supervisor
	case runstate.WorkerName:
		return &a.worker
	case iscsidName:
		return &a.iscsid
	}
	return nil
}

// runs reports whether sessions are recovered, which the worker does even without its supervisor.
func (a agent) runs() bool { return a.first.runs() || a.worker.runs() }

// verdict returns the state of the agent, and in short what is wrong with it.
func (a agent) verdict() (line, wrong string) {
	const lost = "not running: the sessions are not recovered: "
	wrong = "the agent does not run"
	supervisor, worker := "its supervisor "+a.supervisor.is(), "its worker "+a.worker.is()
	switch {
	case a.worker.runs() && a.supervisor.runs(), a.first.runs():
		return "running", ""
	case a.worker.runs() && a.supervisor.stopped:
		return "running, but " + supervisor + ": the worker replaces it within 10 s", "the agent's supervisor is stopped"
	case a.worker.runs():
		return "running, but its supervisor has ended, and the worker could not start another one yet: see the kernel's log", "the agent's supervisor has ended"
	case a.supervisor.runs():
		return lost + worker + ": the supervisor starts another one within 15 s", wrong
	case a.supervisor.stopped:
		return lost + supervisor + " and " + worker + ": kill -CONT " + a.supervisor.pid, wrong
	case a.worker.stopped:
		return lost + worker + " and " + supervisor + ": kill -CONT " + a.worker.pid, wrong
	case a.first.stopped:
		return lost + "it " + a.first.is() + ": kill -CONT " + a.first.pid, wrong
	case a.iscsid.runs():
		return "not running: iscsid alone recovers the sessions", wrong
	}
	return lost + "start iscsid, or boot again", wrong
}

// keptBy returns the program that recovers a session, by the agent's report.
func (s *agentReport) keptBy(owner string) string {
	switch {
	case s.agent.runs():
		return owner
	case s.agent.iscsid.runs():
		return "iscsid"
	}
	return "nothing: the agent does not run"
}
