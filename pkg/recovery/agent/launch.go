package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/contain"
	"github.com/iscsiroot/iscsiroot/pkg/runstate"
)

// Binary is where the agent stays. It is the convention's name for what systemd returns to at
// shutdown too (pkg/shutdown), so that both are one file in memory; the copy in the initramfs is
// freed with the last process that runs it.
const Binary = "/run/initramfs/shutdown"

// Process is the agent as PID 1 sees it.
type Process struct {
	Pid   int
	pidfd int      // -1: the kernel is older than 5.2
	sock  *os.File // a message is one packet
}

// Launch starts the first worker in a mount namespace of its own. Root may be mounted already: the
// agent holds none of it. The caller reaps the process; start runs the fork and may keep its pid
// from being reaped meanwhile.
func Launch(start func(fork func() (int, error)) error) (*Process, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("launch agent: %w", err)
	}
	defer func() { _ = unix.Close(pair[1]) }()
	p, err := newProcess(pair[0])
	if err != nil {
		return nil, fmt.Errorf("launch agent: %w", err)
	}
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("launch agent: %w", err), p.Close())
	}
	defer func() { _ = null.Close() }()
	err = start(func() (int, error) {
		attr := &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS, PidFD: &p.pidfd}
		var err error
		p.Pid, err = fork("/proc/self/exe", runstate.FirstName, attr, null.Fd(), uintptr(pair[1]))
		return p.Pid, err
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("launch agent: %w", err), p.Close())
	}
	return p, nil
}

// newProcess takes our end of the socket.
func newProcess(sock int) (*Process, error) {
	if err := unix.SetNonblock(sock, true); err != nil { // so that a deadline ends a read
		return nil, errors.Join(os.NewSyscallError("fcntl", err), unix.Close(sock))
	}
	return &Process{pidfd: -1, sock: os.NewFile(uintptr(sock), "agent")}, nil
}

// fork starts path under a name, with null as its standard files and rest from file 3 on.
func fork(path, name string, attr *syscall.SysProcAttr, null uintptr, rest ...uintptr) (int, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// A child inherits from the forking thread, before its own runtime starts threads:
	// allocations of theirs must not wait for dirty pages of the very disk they are to bring
	// back (prctl(2), PR_SET_IO_FLUSHER). Kernels without it are served as well as they can be.
	if unix.Prctl(unix.PR_SET_IO_FLUSHER, 1, 0, 0, 0) == nil {
		defer func() { _ = unix.Prctl(unix.PR_SET_IO_FLUSHER, 0, 0, 0, 0) }()
	}
	attr.Setsid = true
	stderr, done := standardError(null)
	defer done()
	return syscall.ForkExec(path, []string{name}, &syscall.ProcAttr{
		Dir: "/",
		// One thread's worth of heap arenas and little garbage: the agent sleeps, and its
		// memory is locked.
		Env:   []string{"GOMAXPROCS=1", "GOGC=25", "GOTRACEBACK=single"},
		Files: append([]uintptr{null, null, stderr}, rest...),
		Sys:   attr,
	})
}

// ErrNoAgent says that the agent did not take over.
var ErrNoAgent = errors.New("the agent has ended")

// HandOver gives the sessions' state to the agent and waits until it watches them. The caller's own
// socket to the kernel's iSCSI must not listen any more (kernel.Transport.Listen): a second
// listener is another owner.
//
// After an error the agent has ended, also if it had the state: the sessions are the caller's
// again, which may start another agent. An agent whose answer cannot be delivered ends itself. So
// there is never more than one.
func (p *Process) HandOver(ctx context.Context, state []byte) error {
	err := p.handOver(ctx, state)
	if err == nil {
		return nil
	}
	return errors.Join(fmt.Errorf("hand over: %w", err), p.Kill())
}

func (p *Process) handOver(ctx context.Context, state []byte) error {
	if len(state) > maxState {
		return fmt.Errorf("%d bytes: limit %d", len(state), maxState)
	}
	expire := func() { _ = p.sock.SetDeadline(time.Unix(1, 0)) }
	defer context.AfterFunc(ctx, contain.Func("hand-over deadline", expire, nil))()
	_, err := p.sock.Write(state)
	n := 0
	answer := make([]byte, len(ready))
	if err == nil {
		n, err = p.sock.Read(answer) // package os retries after EINTR
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("no answer: %w", context.Cause(ctx))
	case errors.Is(err, io.EOF), errors.Is(err, unix.EPIPE), errors.Is(err, unix.ECONNRESET):
		return ErrNoAgent
	case err == nil && string(answer[:n]) != ready:
		return fmt.Errorf("unexpected answer %q", answer[:n])
	}
	return err
}

// ready is the agent's answer.
const ready = "ready"

// killLimit is for how long Kill waits for the process to end.
const killLimit = 5 * time.Second

// Kill ends the agent. It returns when the agent runs no more, which the caller then reaps as
// always. A kernel before 5.2 does not report that.
func (p *Process) Kill() error {
	if p.Pid <= 0 {
		return nil
	}
	if p.pidfd < 0 {
		return p.killed(unix.Kill(p.Pid, unix.SIGKILL))
	}
	// By pidfd: the pid may have been reaped and given to another process.
	if err := unix.PidfdSendSignal(p.pidfd, unix.SIGKILL, nil, 0); err != nil {
		return p.killed(err)
	}
	for end := time.Now().Add(killLimit); ; {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(p.pidfd), Events: unix.POLLIN}}, int(time.Until(end).Milliseconds()))
		switch {
		case errors.Is(err, unix.EINTR) && time.Now().Before(end):
		case err != nil:
			return p.killed(err)
		case n == 0:
			return p.killed(fmt.Errorf("still runs after %v", killLimit))
		default:
			return nil
		}
	}
}

// killed is the error of Kill. A process that has ended is none.
func (p *Process) killed(err error) error {
	if err == nil || errors.Is(err, unix.ESRCH) {
		return nil
	}
	return fmt.Errorf("kill agent %d: %w", p.Pid, err)
}

// Close lets go of the agent, which lives on.
func (p *Process) Close() error {
	if p.pidfd >= 0 {
		_ = unix.Close(p.pidfd)
		p.pidfd = -1
	}
	return p.sock.Close()
}
