package recovery

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Files of the two processes, after the standard ones.
const (
	sockFile  = 3 // to PID 1
	stateFile = 4 // the worker's: sealed in no way, both write it
)

// Pauses between a worker's end and the next one.
const (
	restartFirst = 100 * time.Millisecond
	restartMost  = 10 * time.Second
	// lasting is for how long a worker must run for the next pause to be the
	// first one again.
	lasting = time.Minute
)

// Supervise is the supervisor's life: it keeps a worker running. The state is
// in a file in memory that outlives the worker. It returns only if there is no
// way to go on.
func Supervise() error {
	if err := isolate(); err != nil {
		return err
	}
	unix.CloseOnExec(sockFile)
	lockMemory()
	state, err := unix.MemfdCreate("iscsiroot-state", unix.MFD_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("memfd_create", err)
	}
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: "/dev/null", Err: err}
	}
	pause := restartFirst
	for {
		began := time.Now()
		pid, err := fork("/proc/self/exe", WorkerName, 0, uintptr(null), sockFile, uintptr(state))
		if err == nil {
			wait(pid)
		}
		if time.Since(began) >= lasting {
			pause = restartFirst
		}
		time.Sleep(pause)
		pause = min(2*pause, restartMost)
	}
}

// wait returns when the child has ended, and reaps whoever else does.
func wait(pid int) {
	for {
		got, err := unix.Wait4(-1, nil, 0, nil)
		if got == pid || err != nil && err != unix.EINTR {
			return
		}
	}
}
