package shutdown

import (
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/procstat"
	"github.com/iscsiroot/iscsiroot/pkg/redundancy"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/maps"
	"github.com/iscsiroot/iscsiroot/pkg/runstate"
)

// linux is the running machine. Tests set its paths.
type linux struct {
	proc, sys string            // "/proc", "/sys"
	old       string            // where the real root is, "/oldroot"
	sessions  string            // the list of the boot's sessions, in /run
	ids       []uint32          // the sessions; nil: those of the list
	transport *kernel.Transport // nil: one is opened
	maps      redundancy.Maps   // device-mapper
	multipath *maps.Maps

	refreshing string                 // the list of what the agent is changing, in /run
	mapper     func() (mapper, error) // opens device-mapper
	mounter                           // mount(2) and umount(2)

	terminated []int // processes at the last read of all of /proc; only for the sequence's goroutine

	evaluates atomic.Bool // see needed

	mu     sync.Mutex        // guards the rest
	kept   map[string]bool   // mounted read-only because process 1, another program, uses it
	worked map[string]uint32 // see Progress
}

func newLinux() *linux {
	return &linux{
		proc: "/proc", sys: "/sys", old: oldRoot, sessions: runstate.Path(runstate.SessionsName),
		maps: redundancy.DeviceMapper("/sys"), mounter: system(),
		multipath: multipathMaps("/sys"), refreshing: runstate.Refreshing, mapper: openMapper,
	}
}

// maxProcesses is more than the kernel has numbers (include/linux/threads.h: PID_MAX_LIMIT).
const maxProcesses = 1 << 22

// processes lists those of the agent, or all others except this one, process 1 and the kernel's
// threads.
func (l *linux) processes(agents bool) []int {
	dir, err := os.Open(l.proc)
	if err != nil {
		return nil
	}
	all, _ := dir.Readdirnames(maxProcesses)
	_ = dir.Close()
	var pids []int
	for _, name := range all {
		pid, err := strconv.Atoi(name)
		if err == nil && pid != 1 && pid != os.Getpid() && l.is(pid, agents) {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids
}

// is reports whether a process runs and is one of the agent's, or another. The command line is read
// only of those that can be the agent's: for a process that waits for a disk without a target the
// read may not return (fs/proc/base.c: get_mm_cmdline takes the lock of its memory).
func (l *linux) is(pid int, agents bool) bool {
	dir := l.proc + "/" + strconv.Itoa(pid)
	comm, lives := readStat(dir + "/stat")
	if !lives {
		return false
	}
	agent := false
	if runstate.MayBeAgent(comm) {
		b, err := os.ReadFile(dir + "/cmdline")
		agent = err == nil && runstate.IsAgent(string(b))
	}
	return agent == agents
}

// readStat reads a process's name, and whether it is neither a thread of the kernel nor a zombie
// (proc(5), /proc/pid/stat).
func readStat(path string) (comm string, lives bool) {
	f, err := os.Open(path)
	if err != nil {
		return "", false
	}
	defer func() { _ = f.Close() }()
	b := make([]byte, 512)
	n, err := f.Read(b)
	if err != nil {
		return "", false
	}
	st, ok := procstat.Parse(string(b[:n]))
	return st.Comm, ok && !st.Kernel() && !st.Ended()
}

func signalAll(pids []int, sig unix.Signal) {
	for _, pid := range pids {
		_ = unix.Kill(pid, sig)
	}
	reap()
}

// reap waits for those that have ended: they are PID 1's children now, and this program usually is
// PID 1.
func reap() {
	for {
		if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); pid <= 0 || err != nil {
			return
		}
	}
}

// Terminate implements System.
func (l *linux) Terminate() {
	l.terminated = l.processes(false)
	signalAll(l.terminated, unix.SIGTERM)
}

// Kill implements System.
func (l *linux) Kill() { signalAll(l.processes(false), unix.SIGKILL) }

// Remaining implements System. All of /proc is read only when all processes of the last read have
// ended: it takes long if there are many.
func (l *linux) Remaining() int {
	reap()
	l.terminated = slices.DeleteFunc(l.terminated, func(pid int) bool { return !l.is(pid, false) })
	if len(l.terminated) == 0 {
		l.terminated = l.processes(false)
	}
	return len(l.terminated)
}

// EndAgent implements System. The supervisor is killed in the first round; a worker that it started
// meanwhile in the second. What it was changing goes on.
func (l *linux) EndAgent() {
	defer func() { resumeAll(l.refreshing, l.mapper) }()
	for range 20 {
		pids := l.processes(true)
		if len(pids) == 0 {
			return
		}
		signalAll(pids, unix.SIGKILL)
		time.Sleep(20 * time.Millisecond)
	}
}
