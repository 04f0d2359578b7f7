package recovery

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/kmsg"
)

// Files of the agent's processes, after the standard ones.
const (
	sockFile  = 3 // the first worker's: to PID 1
	stateFile = 3 // a worker's and the supervisor's
	aliveFile = 4 // the supervisor's: ends when the first worker does
)

// Pauses between a worker's end and the next one.
const (
	restartFirst = 100 * time.Millisecond
	restartMost  = 10 * time.Second
	// lasting is for how long a worker must run for the next pause to be the
	// first one again.
	lasting = time.Minute
)

// Supervise is the supervisor's life: it waits for the end of the first worker
// and keeps one running from then on. The state is in a file in memory that
// outlives them. It returns only if there is no way to go on.
func Supervise() error {
	unix.CloseOnExec(stateFile)
	unix.CloseOnExec(aliveFile)
	ignoreSignals()
	lockMemory()
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: "/dev/null", Err: err}
	}
	_, _ = unix.Read(aliveFile, make([]byte, 1))
	pause := restartFirst
	for starts := 0; ; starts++ {
		if starts > 0 {
			kmsg.Open(kmsg.SystemPaths()).Warnf("agent: its worker ended: starting it again")
		}
		began := time.Now()
		pid, err := fork("/proc/self/exe", WorkerName, &syscall.SysProcAttr{}, uintptr(null), stateFile)
		if err == nil {
			spare(os.Getpid(), pid)
			wait(pid)
		}
		var now time.Duration
		now, pause = restartPause(pause, time.Since(began))
		time.Sleep(now)
	}
}

// restartPause says how long to wait before the next start of a worker that ran
// for so long, and what to give to the next call: each pause is twice the one
// before, until a worker lasts.
func restartPause(pause, ran time.Duration) (now, next time.Duration) {
	if ran >= lasting {
		pause = restartFirst
	}
	return pause, min(2*pause, restartMost)
}

// wait returns when the child has ended, and reaps all others that do.
func wait(pid int) {
	for {
		got, err := unix.Wait4(-1, nil, 0, nil)
		if got == pid || err != nil && err != unix.EINTR {
			return
		}
	}
}

// spareDir is where sysvinit's sendsigs looks for the processes that it must
// not kill at shutdown (Debian's /etc/init.d/sendsigs).
const spareDir = "/run/sendsigs.omit.d"

// spare writes the agent's processes down there. systemd knows them by name.
func spare(pids ...int) {
	text := ""
	for _, pid := range pids {
		text += fmt.Sprintln(pid)
	}
	if err := os.MkdirAll(spareDir, 0o755); err == nil {
		_ = os.WriteFile(spareDir+"/iscsiroot", []byte(text), 0o644)
	}
}
