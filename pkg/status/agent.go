package status

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/procstat"
	"github.com/iscsiroot/iscsiroot/pkg/runstate"
)

// iscsidName is that of open-iscsi's daemon, which is its file's too.
const iscsidName = "iscsid"

// process is one of /proc; its zero value is none.
type process struct {
	pid     string
	stopped bool // by a signal, or a debugger
}

func (p process) runs() bool { return p.pid != "" && !p.stopped }

// is returns how it is, for a sentence.
func (p process) is() string {
	switch {
	case p.pid == "":
		return "has ended"
	case p.stopped:
		return "is stopped (process " + p.pid + ")"
	}
	return "runs"
}

// agent are the agent's processes, which have no file by which to ask them: the first worker alone
// while the machine starts, supervisor and worker after that.
type agent struct {
	first, supervisor, worker, iscsid process
}

// findAgent looks for them below proc. Of two of a name, one that runs counts. The command line is
// read of those alone that can be the agent's: of a process that waits for a dead root disk it may
// not come back (fs/proc/base.c: get_mm_cmdline).
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

// byName is where a process belongs; nil: it is another one's.
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

// runs reports whether sessions are recovered: by the worker, whatever its supervisor does.
func (a agent) runs() bool { return a.first.runs() || a.worker.runs() }

// verdict returns how the agent is, and in short what is wrong with it.
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

// keptBy tells which program recovers a session, by what the agent wrote of it.
func (s *said) keptBy(owner string) string {
	switch {
	case s.agent.runs():
		return owner
	case s.agent.iscsid.runs():
		return "iscsid"
	}
	return "nothing: the agent does not run"
}
