package network

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/contain"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
	"github.com/iscsiroot/iscsiroot/pkg/network/linkfile"
	"github.com/iscsiroot/iscsiroot/pkg/network/rtwatch"
)

// Config is what a Network is made by.
type Config struct {
	Net bootspec.Net
	// Named are NICs' names that the plan has beside Net: a NIC that has one of
	// them keeps it.
	Named []string
	// LinkFiles name NICs that no parameter names, in their order; none: the
	// kernel does.
	LinkFiles []*linkfile.File
	// WantRootPath: DHCP is to name the target, so an answer that does is
	// better than one that does not.
	WantRootPath bool
	// NeedRootPath: there is no target without that answer, so it is waited for
	// longer, also on links that have carrier.
	NeedRootPath bool
	// Targets are the addresses of each target's portals, as far as they are
	// known: which NIC leads there decides what to wait for, and which of several
	// gets a static address.
	Targets [][]netip.Addr
	// Complete: nothing but an address is wanted of a server.
	Complete bool
	// SysClassNet is /sys/class/net; it tells hardware from software devices.
	SysClassNet string
	// Report is told of each change to what is waited for, Up of each line that
	// is up, and Warn, in words, of what is wrong; all may be nil. They must not
	// block, and are called from one goroutine.
	Report func(State)
	Up     func(dhcp.Lease)
	Warn   func(string)
	// Loading names the drivers that are still being loaded: while there are
	// any, an interface that is not there may come. It may be nil, must not
	// block, and is called by Wait.
	Loading func() []string
	// StopLimit is for how long Stop and Undo wait for what is under way, which
	// a driver can hold up; 0: 2 s.
	StopLimit time.Duration
	// SinceBoot is the clock that leases are dated by; without it there is no DHCP.
	SinceBoot func() time.Duration
	// OthersLimit is for how long the first line that is up waits for the others,
	// which come up later all the same; 0: 3 s.
	OthersLimit time.Duration
}

// Defaults of Config.StopLimit and Config.OthersLimit.
const (
	// stopLimit is a short part of the time from root's mount to the real init: a
	// driver that holds a call up longer has most likely hung.
	stopLimit = 2 * time.Second
	// othersLimit is enough for DHCP on a second link that has carrier, and most that a
	// boot loses by one that answers nothing.
	othersLimit = 3 * time.Second
)

// Network brings the lines of a plan up, in the background, from Start to Stop
// or Undo.
type Network struct {
	cfg    Config
	ctx    context.Context // ends with Stop
	cancel context.CancelFunc
	ended  chan struct{} // closed when the loop has come to its end
	tasks  *tasks
	events chan func() // what the loop is to do, for others

	// Of the loop alone:
	devices *devices
	working map[int]*work // by link
	links   []*link
	other   map[int]string // links that no line wants, by index
	lines   []*line
	patient bool // the first is up, and the times for the others run
	orders  int  // links that have joined so far

	// mu guards the rest, which the loop writes and Wait and others read. Config.Report is
	// called with it held; no other lock is taken under it.
	mu                sync.Mutex
	leases            []*dhcp.Lease // in the order of the lines; nil: not up yet
	joined            []*dhcp.Lease // of more links, as they came
	late              bool          // the others have had their time
	dark              bool          // also links without carrier, and a root path that is not needed
	pathless          bool          // also links with carrier, and a root path that is needed
	root              string        // the NIC of root's session, in the end
	possible, pending bool          // see rest
	fatal             error         // why nothing more can come
	waits             State
	busy              []string      // links that are worked on
	changed           chan struct{} // closed at the next change of these
}

// Start begins with what is there, and goes on with what comes. It never blocks
// for long. No other Network may work on the same links.
func Start(cfg Config) (*Network, error) {
	n := &Network{cfg: cfg, tasks: newTasks(), working: map[int]*work{}, ended: make(chan struct{}), events: make(chan func(), 64), changed: make(chan struct{})}
	for i, v := range cfg.Net.Lines() {
		ln := &line{
			IP: v.V, from: v.From, index: i,
			attempts: map[int]context.CancelFunc{}, asking: map[int]context.CancelFunc{}, joined: map[int]*joint{},
		}
		ln.ask = ln.neighbours(cfg.Targets)
		n.lines = append(n.lines, ln)
	}
	n.devices = newDevices(cfg, func(text string) { n.later(func() { n.warn(text) }) })
	n.other = map[int]string{}
	n.leases = make([]*dhcp.Lease, len(n.lines))
	n.waits = n.state()
	n.ctx, n.cancel = context.WithCancel(context.Background())
	loopbackUp()
	watch, err := watchLinks()
	if err != nil {
		n.cancel()
		return nil, err
	}
	contain.Go("network", func() { // until Stop or Undo
		defer close(n.ended)
		if err := contain.Call("network", func() error { n.loop(watch); return nil }); err != nil {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.fatal = err
		}
	}, nil)
	return n, nil
}

// loop is the one goroutine that decides. It ends when ctx does. It does
// nothing that a driver can hold up: that is for tasks, each of which hands its
// end back by later.
func (n *Network) loop(watch *rtwatch.Watch) {
	defer watch.Close()
	updates := watch.Updates()
	for {
		select {
		case u, open := <-updates:
			if !open {
				updates = nil
				n.fail(watch.Err())
				continue
			}
			n.update(u)
		case f := <-n.events:
			f()
		case <-n.ctx.Done():
			return
		}
		n.publish(nil)
	}
}

// later lets the loop do something; it returns at once if the loop has ended.
func (n *Network) later(f func()) {
	select {
	case n.events <- f:
	case <-n.ended:
	}
}

// after lets the loop do something after a while.
func (n *Network) after(d time.Duration, f func()) *time.Timer {
	return time.AfterFunc(d, contain.Func("a later step of the network", func() { n.later(f) }, nil))
}

// broken takes the panic of a task in that nothing waits for.
func (n *Network) broken(err error) { n.later(func() { n.warn(err.Error()) }) }

// publish shows the loop's state to Wait, with a change to what that reads; mu is
// not held.
func (n *Network) publish(change func()) {
	s, busy := n.state(), n.busyLinks()
	possible, pending := n.rest()
	n.mu.Lock()
	defer n.mu.Unlock()
	news := s.String() != n.waits.String()
	others := possible != n.possible || pending != n.pending
	if change != nil {
		change()
	}
	n.waits, n.busy, n.possible, n.pending = s, busy, possible, pending
	if news && n.cfg.Report != nil && (s.Waits != "" || slices.Contains(n.leases, nil)) {
		n.cfg.Report(s)
	}
	if news || others || change != nil {
		close(n.changed)
		n.changed = make(chan struct{})
	}
}

func (n *Network) fail(err error) {
	n.publish(func() { n.fatal = err })
}

// Wait returns the leases as soon as the machine can go on by them, see enough;
// that of the boot first. It ends when ctx does, with a *WaitError; more may
// come after it.
func (n *Network) Wait(ctx context.Context) ([]dhcp.Lease, error) {
	for {
		over := ctx.Err() // asked first: what is there by then counts
		n.mu.Lock()
		leases, enough := n.enough()
		err, changed, s, busy := n.fatal, n.changed, n.waits, n.busy
		n.mu.Unlock()
		switch {
		case enough:
			return leases, nil
		case err != nil:
			return nil, err
		case over != nil:
			return nil, &WaitError{State: n.missing(s, busy), Err: over}
		}
		select {
		case <-changed:
		case <-n.ended:
			n.mu.Lock()
			defer n.mu.Unlock()
			return nil, cmp.Or(n.fatal, context.Canceled)
		case <-ctx.Done():
		}
	}
}

// Leases returns a lease for each NIC that is up by now, that of the boot first.
func (n *Network) Leases() []dhcp.Lease {
	if n == nil {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.present()
}

// Stop ends the work. What is up stays. The other links, also those that are being
// configured, are left as they were found, but for those whose drivers do not return
// in time: they are named in a warning. Stopping twice is harmless.
func (n *Network) Stop() {
	if n == nil {
		return
	}
	n.cancel()
	<-n.ended
	for _, l := range n.links {
		n.dropUnfinished(l)
	}
	n.finish()
}

// dropUnfinished takes back what a link was being given, or could not be given to
// the end. It is called after the loop's end.
func (n *Network) dropUnfinished(l *link) {
	kept := false
	for _, ln := range n.lines {
		if ln.has(l) && !ln.finished(l) {
			ln.forget(l)
		}
		kept = kept || ln.has(l)
	}
	if l.given && !kept {
		n.flush(l)
	}
	n.release(l)
}

// Undo stops, and takes back what is up.
func (n *Network) Undo() {
	if n == nil {
		return
	}
	n.Stop()
	for _, ln := range n.lines {
		for _, j := range ln.joined {
			n.takeBack(ln, j.link)
		}
		if ln.winner != nil {
			n.takeBack(ln, ln.winner)
		}
	}
	n.finish()
}

// takeBack leaves a link of a line as it was found, after the loop's end.
func (n *Network) takeBack(ln *line, l *link) {
	ln.forget(l)
	n.flush(l)
	n.release(l)
}

// finish waits for the tasks, which do nothing more to their links than what
// they are at, for a while.
func (n *Network) finish() {
	ctx, cancel := context.WithTimeout(context.Background(), cmp.Or(n.cfg.StopLimit, stopLimit))
	defer cancel()
	for _, name := range n.tasks.wait(ctx) {
		n.warn(fmt.Sprintf("link %s: its driver does not return from a system call", name))
	}
}

func (n *Network) warn(text string) {
	if n.cfg.Warn != nil {
		n.cfg.Warn(text)
	}
}

// loopbackUp sets lo up, which the real system's early programs expect. A
// kernel without it boots as well.
func loopbackUp() {
	if lo, err := netlink.LinkByName("lo"); err == nil {
		_ = netlink.LinkSetUp(lo)
	}
}
