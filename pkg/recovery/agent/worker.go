package agent

import (
	"cmp"
	"context"
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/clock"
	"github.com/iscsiroot/iscsiroot/pkg/contain"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/kmsg"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
	"github.com/iscsiroot/iscsiroot/pkg/recovery"
	"github.com/iscsiroot/iscsiroot/pkg/recovery/disks"
	"github.com/iscsiroot/iscsiroot/pkg/recovery/mirrors"
	"github.com/iscsiroot/iscsiroot/pkg/recovery/paths"
	"github.com/iscsiroot/iscsiroot/pkg/recovery/uplink"
	"github.com/iscsiroot/iscsiroot/pkg/redundancy"
	"github.com/iscsiroot/iscsiroot/pkg/runstate"
	"github.com/iscsiroot/iscsiroot/pkg/session"
	"github.com/iscsiroot/iscsiroot/pkg/shutdown"
)

// Boot runs the first worker: it receives the sessions from PID 1, recovers them while the machine
// starts, and then starts the supervisor. It returns only after an error.
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
	if err := confirm(sockFile); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.start(ctx)
	w.persist(ctx, "settle", func() { startSupervision(ctx, w.supervise, w.log, cancel) })
	if err := w.run(ctx); err != nil { // another worker continues with its state
		return errors.Join(err, w.supervise())
	}
	return nil
}

// confirm sends PID 1 that the agent has the sessions, and closes the socket. If that cannot be
// delivered, PID 1 has given up waiting and may start another agent: this one must end (see
// Process.HandOver).
func confirm(sock int) error {
	for {
		_, err := unix.Write(sock, []byte(ready))
		if errors.Is(err, unix.EINTR) {
			continue
		}
		return errors.Join(os.NewSyscallError("write", err), os.NewSyscallError("close", unix.Close(sock)))
	}
}

// Work runs a worker of the supervisor. It returns after an error, or when it has started another
// supervisor, which continues with another worker.
func Work() error {
	unix.CloseOnExec(stateFile)
	ignoreSignals()
	lockMemory()
	p, err := newParent()
	if err != nil {
		return err
	}
	w, err := newWorker(stateMemory{os.NewFile(stateFile, "state")})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.start(ctx)
	w.persist(ctx, "supervisor watch", func() { w.watch(ctx, p, cancel) })
	if err = w.run(ctx); err != nil && hungUp(aliveFile, 0) {
		err = errors.Join(err, w.supervise())
	}
	return err
}

// run runs the agent. Without an error it ends with ctx; a panic, and a failing socket to the
// kernel, end it too.
func (w *worker) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	contain.Go("watch over the kernel's events", func() {
		select {
		case <-w.transport.Done():
			cancel()
		case <-ctx.Done():
		}
	}, nil)
	err := contain.Call("session recovery", func() error { w.agent.Run(ctx); return nil })
	w.stopReplacing() // the process ends next
	if err = cmp.Or(err, w.transport.Err()); err != nil {
		w.log.Errorf("agent: %v: continuing with another worker", err)
	}
	return err
}

// ignoreSignals ignores the signals that end a process, but for SIGKILL, which the supervisor
// sends, and those of crashes.
func ignoreSignals() {
	signal.Ignore(unix.SIGHUP, unix.SIGINT, unix.SIGTERM, unix.SIGPIPE, unix.SIGUSR1, unix.SIGUSR2)
}

// worker is a recovery.Agent with the kernel, the network and the log of this machine.
type worker struct {
	agent     *recovery.Agent
	transport *kernel.Transport
	uplinks   *uplink.Keeper
	disks     *disks.Keeper
	paths     *paths.Keeper
	mirrors   *mirrors.Keeper
	repairs   *mirrors.Repairer
	use       func(sid uint32, down []uint32) redundancy.Use // as redundancy.Rule.Use; nil: no session is covered
	sys       kernel.Sysfs
	log       recovery.Logger
	memory    stateMemory
	// onRenewed is uplinks.Renewed, which waits for rtnetlink: it is called without mu.
	onRenewed func(i int, l dhcp.Lease)
	shared    *sharedMemory // that the supervisor maps too
	timing                  // by which supervisor and worker watch each other
	dir       string        // of the status files

	// replacing is held while a session is replaced, and guards released. It is taken before
	// mu.
	replacing sync.Mutex
	released  bool // the shutdown removes the sessions, or the process ends

	// mu guards the fields below, but for supervised. The agent's loop takes it, so that
	// nothing waits for rtnetlink under it; files are written under it only to memory. It is
	// taken before the locks of uplinks and disks.
	mu         sync.Mutex
	sessions   []*recovery.KernelSession // each with its state, in state.Sessions
	taken      *recovery.Status          // of the session that is being replaced, which the agent does not have
	state      State                     // for the next worker
	downAt     map[uint32]time.Time      // when a session was last seen to be down
	lastReport string                    // the last report, without its time
	file       reportFile

	super      sync.Mutex // guards supervised; no other lock is taken under it
	supervised bool       // the supervisor runs
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
	shared, err := memory.shared()
	if err != nil {
		return nil, err
	}
	w := &worker{
		transport: transport, log: kmsg.Open(kmsg.SystemPaths()), memory: memory, state: state, shared: shared, timing: defaultTiming(), dir: runDir,
		sys: "/sys",
	}
	past := state.past(clock.SinceBoot())
	w.uplinks = uplink.New(w.log, state.Uplinks, w.networkChanged)
	w.onRenewed = w.uplinks.Renewed
	cfg := recovery.Config{
		Events: transport.Watch(), Network: w.uplinks.Changes(), Log: w.log, Changed: w.changed, NeedsAdministrator: session.NeedsAdministrator,
		Listeners: func() ([]uint32, error) { return recovery.OtherListeners(transport) }, Unread: recovery.Unread, Past: past,
		Beat: w.beat, BeatEvery: w.interval,
		Ways: w.uplinks.Ways, Device: w.uplinks.Device, Carrier: w.uplinks.Carrier, Local: uplink.HasSource, Temporary: w.uplinks.Temporary,
	}
	for _, st := range state.Sessions {
		s := &recovery.KernelSession{Session: session.Reopen(transport, st)}
		w.sessions = append(w.sessions, s)
		if r := state.Replacing; r == nil || r.SID != st.SID { // see continueReplacing
			cfg.Sessions = append(cfg.Sessions, s)
		}
	}
	w.newMirrors()
	w.disks, w.paths = w.newDisks(), w.newPaths()
	cfg.FewRetries = w.disks.FewRetries
	w.agent = recovery.New(cfg)
	for _, s := range w.sessions {
		s.ScanIfDue()
	}
	return w, nil
}

// start starts the goroutines beside the agent, which run until ctx ends or the process does.
func (w *worker) start(ctx context.Context) {
	w.persist(ctx, "network watch", func() { w.uplinks.Watch(ctx) })
	w.persist(ctx, "address keeper", func() { w.uplinks.Maintain(ctx) })
	w.persist(ctx, "disk keeper", func() { w.disks.Run(ctx) })
	w.persist(ctx, "paths", func() { w.paths.Run(ctx) })
	w.persist(ctx, "mirrors", func() { w.listSessions(); w.mirrors.Run(ctx) })
	w.persist(ctx, "repair of mirrors", func() { w.repairMirrors(ctx) })
	w.renewLeases(ctx)
	w.persist(ctx, "shutdown watch", func() { w.log.Warnf("agent: shutdown: %v", shutdown.Watch(w.transport, w.releaseSessions, w.log)) })
}

// persist runs f in a goroutine, which ends when f returns. After a panic f runs again a while
// later: its state is as it was between two steps, and the agent must not end because of it.
func (w *worker) persist(ctx context.Context, where string, f func()) {
	contain.Go(where, func() {
		for {
			err := contain.Call(where, func() error { f(); return nil })
			if err == nil {
				return
			}
			w.log.Errorf("agent: %v: starting it again", err)
			if clock.Sleep(ctx, recovery.RestartMost) != nil {
				return
			}
		}
	}, nil)
}

// renewLeases starts a renewer for each lease of IPv4.
func (w *worker) renewLeases(ctx context.Context) {
	w.mu.Lock() // the address keeper runs already
	uplinks := slices.Clone(w.state.Uplinks)
	w.mu.Unlock()
	for i, u := range uplinks {
		if u.Lease.Method != dhcp.DHCP4 {
			continue
		}
		r := w.uplinks.Renewer(i, func(l dhcp.Lease) { w.renewed(i, l) })
		w.persist(ctx, "lease of "+u.Lease.Interface, func() { r.Run(ctx, w.lease(i)) })
	}
}

// lease returns an uplink's lease as it is now.
func (w *worker) lease(i int) dhcp.Lease {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state.Uplinks[i].Lease
}

// changed saves the state of the sessions, and writes the report. A session is saved when it is
// logged in, not while a login changes it.
func (w *worker) changed(all []recovery.Status) {
	w.paths.Update(all) // first: a path that is lost holds up I/O until it is failed
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.taken != nil {
		all = append(all, *w.taken)
	}
	w.noteDown(all)
	for _, s := range all {
		i := slices.IndexFunc(w.sessions, func(l *recovery.KernelSession) bool { return l.SID == s.SID })
		if s.Up && i >= 0 {
			w.state.Sessions[i] = w.sessions[i].State()
		}
	}
	w.state.Past = all
	w.uplinks.SetSessions(all)
	w.mirrors.Update(w.withoutPaths(all))
	w.repairs.Update(all)
	w.save()
	w.disks.Wake() // a login may have added disks
}

// renewed saves a renewed lease.
func (w *worker) renewed(i int, l dhcp.Lease) {
	w.mu.Lock()
	w.state.Uplinks[i].Lease = l
	w.save()
	w.mu.Unlock()
	w.onRenewed(i, l)
	if err := replace(filepath.Join(w.dir, runstate.LeaseName(l)), runstate.FormatLease(l)); err != nil {
		w.log.Warnf("agent: %v", err)
	}
}

// networkChanged is called when the uplinks may have changed.
func (w *worker) networkChanged() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if fresh := w.uplinks.UpdateState(w.state.Uplinks); fresh || w.report() != w.lastReport {
		w.save()
	}
}

// save writes the state for the next worker, and the report. The caller holds mu.
func (w *worker) save() {
	w.state.At = clock.SinceBoot()
	b, err := w.state.Append(nil)
	if err == nil {
		err = w.memory.keep(b)
	}
	clear(b)
	if err != nil {
		w.log.Warnf("agent: %v", err)
	}
	w.writeReport()
}

// writeReport writes the report. The caller holds mu.
func (w *worker) writeReport() {
	w.lastReport = w.report()
	w.file.write(filepath.Join(w.dir, statusName), runstate.JoinStatus(runstate.FormatSinceBoot(clock.SinceBoot()), w.lastReport), w.log)
}

// beat is called by the agent's loop. It retries a report that could not be written.
func (w *worker) beat() {
	w.shared.beat(workerHalf)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file.failed {
		w.writeReport()
	}
}

// report returns the text of the status file.
func (w *worker) report() string {
	return reportSessions(w.state.Past) + reportLegs(w.state.Legs) + w.disks.Report() + w.uplinks.Report(w.state.Uplinks) + w.shared.report()
}
