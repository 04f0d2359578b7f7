package recovery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Names of the agent's processes: argv[0] of the init binary. systemd spares
// processes whose first byte is '@' when it kills what is left at shutdown
// (systemd's ROOT_STORAGE_DAEMONS).
//
// PID 1 starts a first worker from /init, which costs a boot the least. When the
// boot is over it copies the program to where it can stay, starts the
// supervisor from there and ends; the supervisor keeps a worker running.
const (
	FirstName      = "@iscsiroot-boot"
	SupervisorName = "@iscsiroot"
	WorkerName     = "@iscsiroot-agent"
)

// Binary is where the agent stays. It is the convention's name for what systemd
// returns to at shutdown too (pkg/shutdown), so that both are one file in
// memory; the copy in the initramfs is freed with the last process that runs it.
const Binary = "/run/initramfs/shutdown"

// maxState is the largest state that is handed over, in bytes.
const maxState = 64 << 10

// install copies the running program to path, if it is not there yet.
func install(path string) error {
	in, err := os.Open("/proc/self/exe")
	if err != nil {
		return fmt.Errorf("install %s: %w", path, err)
	}
	defer func() { _ = in.Close() }()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("install %s: %w", path, err)
	}
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if errors.Is(err, os.ErrExist) {
		return nil
	} else if err != nil {
		return fmt.Errorf("install %s: %w", path, err)
	}
	_, err = io.Copy(out, in) // copy_file_range or splice, no buffer of ours
	if err = errors.Join(err, out.Close()); err != nil {
		return errors.Join(fmt.Errorf("install %s: %w", path, err), os.Remove(path))
	}
	return nil
}

// Process is the agent as PID 1 sees it.
type Process struct {
	Pid  int
	sock *os.File // a message is one packet
}

// Launch starts the first worker in a mount namespace of its own. Call it before
// root is mounted. The caller reaps the process; start runs the fork and may
// keep its pid from being reaped meanwhile.
func Launch(start func(fork func() (int, error)) error) (*Process, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("launch agent: %w", err)
	}
	defer func() { _ = unix.Close(pair[1]) }()
	p := &Process{sock: os.NewFile(uintptr(pair[0]), "agent")}
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("launch agent: %w", err), p.sock.Close())
	}
	defer func() { _ = null.Close() }()
	err = start(func() (int, error) {
		var err error
		p.Pid, err = fork("/proc/self/exe", FirstName, unix.CLONE_NEWNS, null.Fd(), uintptr(pair[1]))
		return p.Pid, err
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("launch agent: %w", err), p.sock.Close())
	}
	return p, nil
}

// fork starts path under a name, with null as its standard files and rest from
// file 3 on.
func fork(path, name string, clone uintptr, null uintptr, rest ...uintptr) (int, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// A child inherits from the forking thread, before its own runtime starts
	// threads: allocations of theirs must not wait for dirty pages of the very
	// disk they are to bring back (prctl(2), PR_SET_IO_FLUSHER). Kernels
	// without it are served as well as they can be.
	if unix.Prctl(unix.PR_SET_IO_FLUSHER, 1, 0, 0, 0) == nil {
		defer func() { _ = unix.Prctl(unix.PR_SET_IO_FLUSHER, 0, 0, 0, 0) }()
	}
	return syscall.ForkExec(path, []string{name}, &syscall.ProcAttr{
		Dir: "/",
		// One thread's worth of heap arenas and little garbage: the agent
		// sleeps, and its memory is locked.
		Env:   []string{"GOMAXPROCS=1", "GOGC=25", "GOTRACEBACK=single"},
		Files: append([]uintptr{null, null, null}, rest...),
		Sys:   &syscall.SysProcAttr{Setsid: true, Cloneflags: clone},
	})
}

// ErrNoAgent says that the agent did not take over.
var ErrNoAgent = errors.New("the agent did not answer")

// HandOver gives the sessions' state to the agent and waits until it watches
// them. The caller's own socket to the kernel's iSCSI must be closed already.
func (p *Process) HandOver(ctx context.Context, state []byte) error {
	if len(state) > maxState {
		return fmt.Errorf("hand over %d bytes: limit %d", len(state), maxState)
	}
	if deadline, ok := ctx.Deadline(); ok {
		tv := unix.NsecToTimeval(max(0, time.Until(deadline).Nanoseconds()))
		_ = unix.SetsockoptTimeval(int(p.sock.Fd()), unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv)
	}
	if _, err := unix.Write(int(p.sock.Fd()), state); err != nil {
		return fmt.Errorf("hand over: %w", err)
	}
	answer := make([]byte, len(ready))
	n, err := unix.Read(int(p.sock.Fd()), answer)
	if err != nil {
		return fmt.Errorf("hand over: %w", err)
	}
	if string(answer[:max(n, 0)]) != ready {
		return fmt.Errorf("hand over: %w", ErrNoAgent)
	}
	return nil
}

// ready is the agent's answer.
const ready = "ready"

// Close lets go of the agent, which lives on.
func (p *Process) Close() error { return p.sock.Close() }
