package recovery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/kmsg"
	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// Boot is the first worker's life: it takes the sessions from PID 1, looks after
// them while the machine starts, and then gives them to the supervisor. It
// returns only if it cannot.
func Boot() error {
	unix.CloseOnExec(sockFile)
	ignoreSignals()
	if err := isolate(); err != nil {
		return err
	}
	memory, err := newStateMemory()
	if err != nil {
		return err
	}
	if err := memory.receive(sockFile); err != nil {
		return err
	}
	w, err := newWorker(memory)
	if err != nil {
		return err
	}
	if _, err := unix.Write(sockFile, []byte(ready)); err != nil {
		return os.NewSyscallError("write", err)
	}
	_ = unix.Close(sockFile)
	ctx, cancel := context.WithCancel(context.Background())
	go w.settle(cancel)
	w.agent.Run(ctx)
	return nil
}

// Work is the life of a worker of the supervisor's. It returns only if it
// cannot go on.
func Work() error {
	unix.CloseOnExec(stateFile)
	ignoreSignals()
	lockMemory()
	w, err := newWorker(stateMemory{os.NewFile(stateFile, "state")})
	if err != nil {
		return err
	}
	w.agent.Run(context.Background())
	return nil
}

// ignoreSignals leaves SIGKILL, which is the supervisor's, and the crashes.
func ignoreSignals() {
	signal.Ignore(unix.SIGHUP, unix.SIGINT, unix.SIGTERM, unix.SIGPIPE, unix.SIGUSR1, unix.SIGUSR2)
}

// worker is an agent with the real kernel, network and log.
type worker struct {
	agent    *Agent
	log      *kmsg.Logger
	memory   stateMemory
	sessions []*live
	whole    atomic.Bool // no session is down
}

func newWorker(memory stateMemory) (*worker, error) {
	state, err := memory.load()
	if err != nil {
		return nil, err
	}
	states, err := session.ParseStates(state)
	if err != nil {
		return nil, err
	}
	transport, err := kernel.Open()
	if err != nil {
		return nil, err
	}
	w := &worker{log: kmsg.Open(kmsg.SystemPaths()), memory: memory}
	network, err := watchNetwork()
	if err != nil {
		w.log.Warnf("agent: %v: reconnects wait for their turn", err)
	}
	cfg := Config{
		Events: transport.Watch(), Network: network, Log: w.log, Changed: w.changed, Slow: needsPerson,
		Listeners: func() []uint32 { return otherListeners(transport) },
	}
	for _, st := range states {
		s := &live{session.Reopen(transport, st)}
		w.sessions = append(w.sessions, s)
		cfg.Sessions = append(cfg.Sessions, s)
	}
	w.agent = New(cfg)
	return w, nil
}

// settleAfter is when the boot is over for the first worker.
const settleAfter = 5 * time.Second

// settle starts the supervisor once all is quiet, and ends the first worker: the
// supervisor notices by a pipe.
func (w *worker) settle(end func()) {
	for {
		time.Sleep(settleAfter)
		if !w.whole.Load() {
			continue
		}
		err := w.supervise()
		if err == nil {
			end()
			return
		}
		w.log.Warnf("agent: %v: nobody starts it again if it ends", err)
	}
}

// supervise starts the supervisor from the program's lasting place.
func (w *worker) supervise() error {
	if err := install(Binary); err != nil {
		return err
	}
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: "/dev/null", Err: err}
	}
	defer func() { _ = unix.Close(null) }()
	var alive [2]int // its other end lives as long as we do
	if err := unix.Pipe2(alive[:], unix.O_CLOEXEC); err != nil {
		return os.NewSyscallError("pipe", err)
	}
	defer func() { _ = unix.Close(alive[0]) }()
	pid, err := fork(Binary, SupervisorName, 0, uintptr(null), w.memory.Fd(), uintptr(alive[0]))
	if err != nil {
		return errors.Join(&os.PathError{Op: "start", Path: Binary, Err: err}, unix.Close(alive[1]))
	}
	spare(pid)
	return nil
}

// otherListeners reads who else listens for the kernel's iSCSI events.
func otherListeners(t *kernel.Transport) []uint32 {
	b, err := os.ReadFile("/proc/net/netlink")
	if err != nil {
		return nil
	}
	return listeners(string(b), t.PortID())
}

// needsPerson tells of a refusal that only the target's administrator mends.
func needsPerson(err error) bool {
	var status *iscsi.StatusError
	var auth *iscsi.AuthError
	return errors.As(err, &auth) ||
		errors.As(err, &status) && (status.Code() == 0x0201 || status.Code() == 0x0202)
}

// live is a session as the agent wants it.
type live struct{ *session.Session }

func (l *live) ID() uint32     { return l.SID }
func (l *live) String() string { return l.Target }

func (l *live) Dial(ctx context.Context) (io.Closer, error) {
	c, err := l.Connect(ctx)
	if err != nil {
		return nil, err // not a typed nil
	}
	return c, nil
}

func (l *live) Login(ctx context.Context, conn io.Closer) error {
	return l.Relogin(ctx, conn.(*session.Connection))
}

// StatusFile is where the agent writes how the sessions are, for people and for
// iscsiroot status.
const StatusFile = "/run/iscsiroot/status"

// changed keeps what the next worker and people need to know.
func (w *worker) changed(all []Status) {
	var state []byte
	busy := false
	for _, s := range all {
		busy = busy || !s.Up && !s.Ended
	}
	w.whole.Store(!busy)
	if !busy { // what a login has changed is whole again
		for _, s := range w.sessions {
			state = session.AppendState(state, s.State())
		}
		if err := w.memory.keep(state); err != nil {
			w.log.Warnf("agent: %v", err)
		}
	}
	if err := writeStatus(StatusFile, all, time.Now()); err != nil {
		w.log.Warnf("agent: %v", err)
	}
}

// writeStatus replaces the file as a whole.
func writeStatus(path string, all []Status, now time.Time) error {
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, "time %s\n", now.UTC().Format(time.RFC3339))
	for _, s := range all {
		state := "up"
		switch {
		case s.Ended:
			state = "ended"
		case !s.Up:
			state = "down"
		}
		owner := "iscsiroot"
		if s.Passive {
			owner = "iscsid"
		}
		_, _ = fmt.Fprintf(&b, "session %d %s state %s owner %s down %.1f outages %d longest %.1f\n",
			s.SID, s.Name, state, owner, s.Down.Seconds(), s.Outages, s.Longest.Seconds())
		for _, cause := range []string{s.Cause, s.LastErr} {
			if cause != "" {
				_, _ = fmt.Fprintf(&b, "session %d cause %q\n", s.SID, cause)
			}
		}
	}
	if err := os.WriteFile(path+".new", []byte(b.String()), 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
