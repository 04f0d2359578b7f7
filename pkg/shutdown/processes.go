package shutdown

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// linux is the machine that we run on. Its paths are seams for tests.
type linux struct {
	proc, sys string   // "/proc", "/sys"
	old       string   // where the real root is, "/oldroot"
	sessions  string   // the list of our sessions, in /run
	ids       []uint32 // our sessions; nil: those of the list

	mu   sync.Mutex
	kept map[string]bool // mounted read-only for process 1, which is not us
}

func newLinux() *linux {
	return &linux{proc: "/proc", sys: "/sys", old: oldRoot, sessions: "/run/iscsiroot/sessions"}
}

// agentPrefix begins argv[0] of the agent's processes (pkg/recovery).
const agentPrefix = "@iscsiroot"

// processes lists those of the agent, or all others but ourselves, process 1 and
// the kernel's threads, which have no command line.
func (l *linux) processes(agents bool) []int {
	paths, _ := filepath.Glob(l.proc + "/[0-9]*/cmdline")
	var pids []int
	for _, path := range paths {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		b, rerr := os.ReadFile(path)
		if err != nil || rerr != nil || len(b) == 0 || pid == os.Getpid() || pid == 1 {
			continue
		}
		if strings.HasPrefix(string(b), agentPrefix) == agents {
			pids = append(pids, pid)
		}
	}
	return pids
}

func signalAll(pids []int, sig unix.Signal) {
	for _, pid := range pids {
		_ = unix.Kill(pid, sig)
	}
	reap()
}

// reap collects those that ended: they are PID 1's children now, which we
// usually are.
func reap() {
	for {
		if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); pid <= 0 || err != nil {
			return
		}
	}
}

// Ask implements System.
func (l *linux) Ask() { signalAll(l.processes(false), unix.SIGTERM) }

// Kill implements System.
func (l *linux) Kill() { signalAll(l.processes(false), unix.SIGKILL) }

// Left implements System.
func (l *linux) Left() int {
	reap()
	return len(l.processes(false))
}

// EndAgent implements System. The supervisor goes with the first round; a
// worker that it started meanwhile with the second.
func (l *linux) EndAgent() {
	for range 20 {
		pids := l.processes(true)
		if len(pids) == 0 {
			return
		}
		signalAll(pids, unix.SIGKILL)
		time.Sleep(20 * time.Millisecond)
	}
}
