package recovery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/kmsg"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp4"
	"github.com/iscsiroot/iscsiroot/pkg/session"
	"github.com/iscsiroot/iscsiroot/pkg/shutdown"
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
	protect()
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
	keeper   *keeper
	log      *kmsg.Logger
	memory   stateMemory
	sessions []*live

	mu    sync.Mutex // guards state and what is written of it
	state State      // as the next worker needs it
	said  string     // the last report, without its time
}

func newWorker(memory stateMemory) (*worker, error) {
	b, err := memory.load()
	if err != nil {
		return nil, err
	}
	state, err := parseState(b)
	clear(b)
	if err != nil {
		return nil, err
	}
	transport, err := kernel.Open()
	if err != nil {
		return nil, err
	}
	w := &worker{log: kmsg.Open(kmsg.SystemPaths()), memory: memory, state: state}
	past := state.past(sinceBoot())
	w.keeper = newKeeper(kernelNIC{}, w.log, state.Uplinks, w.network)
	if err := w.keeper.watch(); err != nil {
		w.log.Warnf("agent: %v: reconnects wait for their turn", err)
	}
	cfg := Config{
		Events: transport.Watch(), Network: w.keeper.changes, Log: w.log, Changed: w.changed, Slow: needsPerson,
		Listeners: func() []uint32 { return otherListeners(transport) }, Past: past,
	}
	for _, st := range state.Sessions {
		s := &live{session.Reopen(transport, st)}
		w.sessions = append(w.sessions, s)
		cfg.Sessions = append(cfg.Sessions, s)
	}
	w.agent = New(cfg)
	w.renewLeases()
	go w.watchShutdown()
	return w, nil
}

// renewLeases starts a renewer for each lease of IPv4.
func (w *worker) renewLeases() {
	for i, u := range w.state.Uplinks {
		if u.Lease.Method != dhcp.DHCP4 {
			continue
		}
		r := &renewer{
			renew: dhcp4.Renew, rebind: dhcp4.Rebind, clock: sinceBoot, log: w.log,
			others: func() (dhcp4.Config, bool) {
				name, mac, others := w.keeper.interfaceNow(u)
				return dhcp4.Config{Interface: name, MAC: mac, HostName: u.Lease.HostName}, others || clientRuns()
			},
			got: func(l dhcp.Lease) { w.renewed(i, l) },
		}
		go r.run(context.Background(), u.Lease)
	}
}

// watchShutdown sees to a shutdown that the real system has begun and cannot
// finish without its root disk.
func (w *worker) watchShutdown() {
	w.log.Warnf("agent: shutdown: %v", shutdown.Watch(w.log))
}

// settleAfter is when the boot is over for the first worker.
const settleAfter = 5 * time.Second

// settle starts the supervisor once the boot is over, and ends the first worker:
// the supervisor notices by a pipe, and its worker goes on where this one was.
func (w *worker) settle(end func()) {
	for {
		time.Sleep(settleAfter)
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

// Where implements Session.
func (l *live) Where() []string {
	var out []string
	for _, p := range l.Known() {
		out = append(out, p.String())
	}
	return out
}

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

// changed keeps what the next worker and people need to know. What a login is
// changing is kept when it is whole again.
func (w *worker) changed(all []Status) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, s := range all {
		if s.Up {
			w.state.Sessions[i] = w.sessions[i].State()
		}
	}
	w.state.Past = all
	w.keep()
}

// renewed takes a lease in that was renewed.
func (w *worker) renewed(i int, l dhcp.Lease) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state.Uplinks[i].Lease = l
	w.keeper.forever(w.state.Uplinks[i])
	if err := replace(leaseFile+l.Interface, l.Encode()); err != nil {
		w.log.Warnf("agent: %v", err)
	}
	w.keep()
}

// network is called when something of the uplinks may have changed.
func (w *worker) network() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if report := w.report(); report != w.said {
		w.keep()
	}
}

// keep writes the state, for the next worker, and the report, for people. The
// caller holds mu.
func (w *worker) keep() {
	w.state.At = sinceBoot()
	b := w.state.Append(nil)
	err := w.memory.keep(b)
	clear(b)
	if err != nil {
		w.log.Warnf("agent: %v", err)
	}
	w.said = w.report()
	if err := replace(StatusFile, fmt.Sprintf("since-boot %d\n", int(w.state.At.Seconds()))+w.said); err != nil {
		w.log.Warnf("agent: %v", err)
	}
}

// report is the text for people.
func (w *worker) report() string {
	return reportSessions(w.state.Past) + w.keeper.report(w.state.Uplinks)
}
