package agent

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/contain"
	"github.com/iscsiroot/iscsiroot/pkg/kmsg"
	"github.com/iscsiroot/iscsiroot/pkg/recovery"
	"github.com/iscsiroot/iscsiroot/pkg/runstate"
)

// Files of the agent's processes, after the standard ones.
const (
	sockFile  = 3 // the first worker's: to PID 1
	stateFile = 3 // a worker's and the supervisor's
	aliveFile = 4 // a worker's and the supervisor's: closed when the process that started it ends
)

// pauseResetAfter is for how long a worker must run for the next pause to be the first one again:
// restarts do not cure a fault that recurs more often.
const pauseResetAfter = time.Minute

// Supervise runs the supervisor: it waits for the end of the worker that started it, and keeps
// another one running from then on. The state is in a file in memory that outlives them. It returns
// only after an error.
func Supervise() error { return supervise(defaultTiming()) }

func supervise(t timing) error {
	unix.CloseOnExec(stateFile)
	unix.CloseOnExec(aliveFile)
	ignoreSignals()
	lockMemory()
	s, err := newSupervisor(t)
	if err != nil {
		return err
	}
	s.shared.beat(supervisorHalf) // the worker that started this process waits for it
	s.awaitOldWorker()
	s.keepWorker()
	return nil
}

// supervisor keeps a worker running.
type supervisor struct {
	timing
	log    *kmsg.Logger
	memory stateMemory
	shared *sharedMemory
	null   int
	alive  [2]int // a pipe: a worker has its first end, the second is open until this process ends
}

func newSupervisor(t timing) (*supervisor, error) {
	s := &supervisor{timing: t, log: kmsg.Open(kmsg.SystemPaths()), memory: stateMemory{os.NewFile(stateFile, "state")}}
	var err error
	if s.shared, err = s.memory.shared(); err != nil {
		return nil, err
	}
	if s.null, err = unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0); err != nil {
		return nil, &os.PathError{Op: "open", Path: "/dev/null", Err: err}
	}
	if err := unix.Pipe2(s.alive[:], unix.O_CLOEXEC); err != nil {
		return nil, os.NewSyscallError("pipe", err)
	}
	return s, nil
}

// awaitOldWorker returns when the worker that started this process has ended, which closes
// aliveFile. One that takes too long is stopped or stuck, and is killed.
func (s *supervisor) awaitOldWorker() {
	old := &Process{Pid: os.Getppid(), pidfd: -1}
	if fd, err := unix.PidfdOpen(old.Pid, 0); err == nil {
		old.pidfd = fd
		defer func() { _ = unix.Close(fd) }()
	}
	for end := time.Now().Add(s.endLimit); !hungUp(aliveFile, time.Until(end)); {
		if time.Now().Before(end) {
			continue
		}
		// The pipe is open: the process by this number still is the parent.
		s.log.Warnf("agent: the worker before this one does not end: killing it")
		if err := old.Kill(); err != nil {
			s.log.Errorf("agent: %v", err)
		}
		end = time.Now().Add(s.endLimit)
	}
	_ = unix.Close(aliveFile)
}

// hungUp waits for the end of a pipe's other end, for no longer than limit. It may return early.
func hungUp(fd int32, limit time.Duration) bool {
	pipe := []unix.PollFd{{Fd: fd, Events: unix.POLLIN}}
	_, err := unix.Poll(pipe, int(max(0, limit).Milliseconds())+1)
	return err == nil && pipe[0].Revents&unix.POLLHUP != 0
}

// keepWorker starts one worker after the other.
func (s *supervisor) keepWorker() {
	pause, why := recovery.RestartFirst, notReplaced
	for {
		began := time.Now()
		if p, err := s.start(); err != nil {
			s.log.Errorf("agent: start a worker: %v", err)
		} else {
			if why != notReplaced {
				s.log.Warnf("agent: its worker %s: started another one", why.describe(s.workerLimit))
			}
			why = s.watch(p)
			s.shared.noteReplaced(workerHalf, why)
			_ = unix.Close(p.pidfd)
		}
		var now time.Duration
		now, pause = restartPause(pause, time.Since(began))
		time.Sleep(now)
	}
}

// start starts a worker.
func (s *supervisor) start() (*Process, error) {
	p := &Process{pidfd: -1}
	var err error
	p.Pid, err = fork("/proc/self/exe", runstate.WorkerName, &syscall.SysProcAttr{PidFD: &p.pidfd}, uintptr(s.null), s.memory.Fd(), uintptr(s.alive[0]))
	if err == nil {
		omitFromSendsigs(os.Getpid(), p.Pid)
	}
	return p, err
}

// watch returns when a worker has ended, and why. It kills one that is stopped or stuck.
func (s *supervisor) watch(p *Process) cause {
	ended, stops := reap(p.Pid)
	tick := time.NewTicker(s.interval)
	defer tick.Stop()
	why := hasEnded
	end := func(c cause) {
		if why == hasEnded {
			why = c
			if err := p.Kill(); err != nil {
				s.log.Errorf("agent: its worker %s: %v", c.describe(s.workerLimit), err)
			}
		}
	}
	var of pulse
	silent := func() time.Duration { return of.observe(time.Now(), s.shared.beats[workerHalf].Load(), s.interval) }
	silent()
	var look <-chan time.Time
	for {
		select {
		case <-ended:
			return why
		case <-stops:
			look = time.After(s.stopLimit)
		case <-look:
			if stopped(p.Pid) {
				end(wasStopped)
			}
		case <-tick.C:
			s.shared.beat(supervisorHalf)
			if silent() >= s.workerLimit {
				end(wasStuck)
			}
		}
	}
}

// restartPause returns how long to wait before the next start of a worker that ran for so long, and
// the argument of the next call: each pause is twice the one before, until a worker runs for
// pauseResetAfter.
func restartPause(pause, ran time.Duration) (now, next time.Duration) {
	if ran >= pauseResetAfter {
		pause = recovery.RestartFirst
	}
	return pause, min(2*pause, recovery.RestartMost)
}

// reap waits for child processes until pid has ended, and closes ended then. stops receives when a
// signal has stopped pid.
func reap(pid int) (ended, stops <-chan struct{}) {
	e, s := make(chan struct{}), make(chan struct{}, 1)
	contain.Go("wait for the worker", func() {
		defer close(e)
		for {
			var st unix.WaitStatus
			got, err := unix.Wait4(-1, &st, unix.WUNTRACED, nil)
			switch {
			case err == unix.EINTR:
			case err != nil || got == pid && !st.Stopped():
				return
			case got == pid:
				select {
				case s <- struct{}{}:
				default:
				}
			}
		}
	}, nil)
	return e, s
}

// sendsigsOmitDir is where sysvinit's sendsigs reads which processes it must not kill at shutdown
// (Debian's /etc/init.d/sendsigs).
const sendsigsOmitDir = "/run/sendsigs.omit.d"

// omitFromSendsigs lists the agent's processes there. systemd recognises them by name.
func omitFromSendsigs(pids ...int) {
	text := ""
	for _, pid := range pids {
		text += fmt.Sprintln(pid)
	}
	if err := os.MkdirAll(sendsigsOmitDir, 0o755); err == nil {
		_ = os.WriteFile(sendsigsOmitDir+"/iscsiroot", []byte(text), 0o644)
	}
}
