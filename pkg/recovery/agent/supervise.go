package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/clock"
	"github.com/iscsiroot/iscsiroot/pkg/recovery"
	"github.com/iscsiroot/iscsiroot/pkg/runstate"
)

// bootSettleTime is after how long the first worker starts the supervisor.
const bootSettleTime = 5 * time.Second

// startSupervision starts the supervisor once the boot is over, and ends the first worker: the
// supervisor detects that by a pipe, and its worker continues with this one's state.
func startSupervision(ctx context.Context, supervise func() error, log recovery.Logger, end func()) {
	if clock.Sleep(ctx, bootSettleTime) == nil {
		retrySupervise(ctx, supervise, log, end)
	}
}

// retrySupervise calls supervise until it succeeds, and then end, which ends this worker.
func retrySupervise(ctx context.Context, supervise func() error, log recovery.Logger, end func()) {
	said := dedupLogger{log: log}
	for {
		err := supervise()
		if err == nil {
			end()
			return
		}
		said.warn(err.Error() + ": it is not started again if it ends")
		if clock.Sleep(ctx, bootSettleTime) != nil {
			return
		}
	}
}

// supervise starts the supervisor from the installed program. Without an error the supervisor runs,
// and this worker must end.
func (w *worker) supervise() error {
	w.super.Lock()
	defer w.super.Unlock()
	if w.supervised {
		return nil
	}
	if err := Install(); err != nil {
		return err
	}
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: "/dev/null", Err: err}
	}
	defer func() { _ = unix.Close(null) }()
	var alive [2]int // its other end is open until this process ends
	if err := unix.Pipe2(alive[:], unix.O_CLOEXEC); err != nil {
		return os.NewSyscallError("pipe", err)
	}
	defer func() { _ = unix.Close(alive[0]) }()
	beats := w.shared.beats[supervisorHalf].Load()
	p := &Process{pidfd: -1}
	p.Pid, err = fork(Binary, runstate.SupervisorName, &syscall.SysProcAttr{PidFD: &p.pidfd}, uintptr(null), w.memory.Fd(), uintptr(alive[0]))
	if err == nil {
		err = w.awaitFirstBeat(p, beats)
	}
	if err != nil {
		return errors.Join(&os.PathError{Op: "start", Path: Binary, Err: err}, unix.Close(alive[1]))
	}
	omitFromSendsigs(p.Pid)
	w.supervised = true
	return nil
}

// awaitFirstBeat waits for the first beat of a supervisor, and kills one that does not beat in
// time.
func (w *worker) awaitFirstBeat(p *Process, beats uint64) error {
	defer func() { _ = unix.Close(p.pidfd) }()
	for end := time.Now().Add(w.startLimit); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if w.shared.beats[supervisorHalf].Load() != beats {
			return nil
		}
		if got, _ := unix.Wait4(p.Pid, nil, unix.WNOHANG, nil); got == p.Pid {
			return errors.New("ended at once")
		}
	}
	err := p.Kill()
	_, _ = unix.Wait4(p.Pid, nil, unix.WNOHANG, nil)
	return errors.Join(fmt.Errorf("did not begin within %v", w.startLimit), err)
}
