package lab

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/outfile"
)

// ErrClosed is returned by the methods of a closed Namespace.
var ErrClosed = errors.New("namespace is closed")

// Namespace is a network namespace with nothing in it but what its methods add. Its methods may be
// called from any goroutine.
type Namespace struct {
	fd   int
	dir  *outfile.TempDir
	jobs chan func()

	mu        sync.Mutex // guards the rest
	processes []*Process
	closers   []io.Closer // what runs in this process
	closed    bool
}

// NewNamespace makes a network namespace with lo up. It needs CAP_SYS_ADMIN, in practice root.
func NewNamespace() (*Namespace, error) {
	dir, err := outfile.MkdirTemp("iscsiroot-namespace-")
	if err != nil {
		return nil, fmt.Errorf("create network namespace: %w", err)
	}
	ns := &Namespace{dir: dir, jobs: make(chan func())}
	started := make(chan error, 1)
	go func() { // until Close closes ns.jobs
		_ = onOwnThread(func() error { return ns.serve(started) })
	}()
	if err := <-started; err != nil {
		_ = dir.Close()
		return nil, fmt.Errorf("create network namespace: %w", err)
	}
	return ns, nil
}

// serve owns the thread that starts every child. The thread exists as long as the namespace: a
// parent-death signal is sent when the thread that forked ends, not when the process does
// (prctl(2), PR_SET_PDEATHSIG).
func (ns *Namespace) serve(started chan<- error) error {
	fd, err := enterNewNamespace()
	ns.fd = fd
	started <- err
	if err != nil {
		return err
	}
	for job := range ns.jobs {
		job()
	}
	return nil
}

func enterNewNamespace() (int, error) {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		if errors.Is(err, unix.EPERM) {
			return -1, fmt.Errorf("unshare: %w; run as root", err)
		}
		return -1, fmt.Errorf("unshare: %w", err)
	}
	lo, err := netlink.LinkByName("lo")
	if err == nil {
		err = netlink.LinkSetUp(lo)
	}
	if err != nil {
		return -1, fmt.Errorf("set lo up: %w", err)
	}
	fd, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open /proc/thread-self/ns/net: %w", err)
	}
	return fd, nil
}

// Do runs f on a thread inside the namespace and returns f's error. Sockets that f opens stay in
// the namespace. Goroutines that f starts run outside of it.
func (ns *Namespace) Do(f func() error) error {
	ns.mu.Lock()
	if ns.closed {
		ns.mu.Unlock()
		return fmt.Errorf("enter network namespace: %w", ErrClosed)
	}
	fd, err := unix.FcntlInt(uintptr(ns.fd), unix.F_DUPFD_CLOEXEC, 0) // its own, so that Close does not pull it away
	ns.mu.Unlock()
	if err != nil {
		return fmt.Errorf("enter network namespace: %w", err)
	}
	defer unix.Close(fd)
	return onOwnThread(func() error {
		if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter network namespace: %w", err)
		}
		return f()
	})
}

// StartCmd starts cmd inside the namespace. It is killed by [Namespace.Close] and when this process
// ends.
func (ns *Namespace) StartCmd(cmd *exec.Cmd) (*Process, error) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	if ns.closed {
		return nil, fmt.Errorf("start %s: %w", filepath.Base(cmd.Path), ErrClosed)
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	result := make(chan error)
	ns.jobs <- func() { result <- cmd.Start() }
	if err := <-result; err != nil {
		return nil, fmt.Errorf("start %s: %w", filepath.Base(cmd.Path), err)
	}
	p := newProcess(cmd)
	ns.processes = append(ns.processes, p)
	return p, nil
}

// StartLogged starts cmd with its output in a file of the namespace's directory.
func (ns *Namespace) StartLogged(cmd *exec.Cmd) (*Process, error) {
	log, err := os.CreateTemp(ns.Dir(), "log-")
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", filepath.Base(cmd.Path), err)
	}
	defer log.Close()
	if cmd.Stdout == nil {
		cmd.Stdout = log
	}
	cmd.Stderr = log
	p, err := ns.StartCmd(cmd)
	if err != nil {
		return nil, err
	}
	p.log = log.Name()
	return p, nil
}

// Dir is a directory of the namespace's own for sockets and logs. Close removes it; what remains
// after a process that was killed is removed by the next NewNamespace of any process of the same
// user.
func (ns *Namespace) Dir() string { return ns.dir.Name() }

// Close kills what was started in the namespace, waits for it, and removes the namespace. Closing
// twice is harmless.
func (ns *Namespace) Close() error {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	if ns.closed {
		return nil
	}
	ns.closed = true
	var errs []error
	for _, p := range ns.processes {
		errs = append(errs, p.Kill())
	}
	for _, c := range ns.closers {
		errs = append(errs, c.Close())
	}
	close(ns.jobs)
	errs = append(errs, unix.Close(ns.fd), ns.dir.Close())
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close network namespace: %w", err)
	}
	return nil
}
