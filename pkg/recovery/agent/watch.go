package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/procstat"
	"github.com/iscsiroot/iscsiroot/pkg/recovery"
)

// parent is a worker's supervisor. alive is a pipe whose other end the supervisor alone has: an end
// of file means that it has ended, and that no thread of it can start another worker
// (kernel/exit.c: do_exit closes the files with the last thread). While it is open the process by
// this number is the supervisor.
type parent struct {
	Process
	alive *os.File
	pulse pulse
}

// newParent is called at the start of a worker.
func newParent() (*parent, error) {
	unix.CloseOnExec(aliveFile)
	if err := unix.SetNonblock(aliveFile, true); err != nil { // for read deadlines
		return nil, os.NewSyscallError("fcntl", err)
	}
	p := &parent{Process: Process{Pid: os.Getppid(), pidfd: -1}, alive: os.NewFile(aliveFile, "alive")}
	if fd, err := unix.PidfdOpen(p.Pid, 0); err == nil { // since Linux 5.3
		p.pidfd = fd
	}
	return p, nil
}

// ended reports whether the supervisor ends within limit. Without an end of file it has not ended:
// two supervisors would be two workers.
func (p *parent) ended(limit time.Duration) bool {
	end := time.Now().Add(limit)
	_ = p.alive.SetReadDeadline(end)
	_, err := p.alive.Read(make([]byte, 1))
	if errors.Is(err, io.EOF) {
		return true
	}
	time.Sleep(time.Until(end)) // after another error
	return false
}

// check waits for an interval, and returns what is wrong with the supervisor.
func (p *parent) check(t timing, shared *sharedMemory) cause {
	switch {
	case p.ended(t.interval):
		return hasEnded
	case p.pulse.observe(time.Now(), shared.beats[supervisorHalf].Load(), t.interval) >= t.supervisorLimit:
		return wasStuck
	case !stopped(p.Pid):
		return notReplaced
	case p.ended(t.stopLimit):
		return hasEnded
	case stopped(p.Pid):
		return wasStopped
	}
	return notReplaced
}

// end kills the supervisor, which could start a second worker otherwise, and returns when it has
// ended.
func (p *parent) end() error {
	if err := p.Kill(); err != nil {
		return err
	}
	if !p.ended(killLimit) {
		return fmt.Errorf("kill supervisor %d: still runs after %v", p.Pid, killLimit)
	}
	return nil
}

// watch monitors the supervisor, and starts another one if that fails. end then ends this worker:
// the new supervisor waits for that, and starts the next worker.
func (w *worker) watch(ctx context.Context, p *parent, end func()) {
	said := dedupLogger{log: w.log}
	for ctx.Err() == nil {
		why := p.check(w.timing, w.shared)
		if why == notReplaced {
			continue
		}
		if why != hasEnded {
			if err := p.end(); err != nil {
				said.warn(fmt.Sprintf("its supervisor %s: %v", why.describe(w.supervisorLimit), err))
				continue
			}
		}
		retrySupervise(ctx, w.supervise, w.log, func() {
			w.shared.noteReplaced(supervisorHalf, why)
			w.log.Warnf("agent: its supervisor %s: started another one", why.describe(w.supervisorLimit))
			end()
		})
		return
	}
}

// dedupLogger logs repeated lines once.
type dedupLogger struct {
	log  recovery.Logger
	last string
}

func (o *dedupLogger) warn(text string) {
	if text != o.last {
		o.log.Warnf("agent: %s", text)
		o.last = text
	}
}

// stopped reports whether a process is stopped by a signal, or by a debugger.
func stopped(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	st, ok := procstat.Parse(string(b))
	return ok && st.Stopped()
}
