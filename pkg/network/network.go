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

// Config configures a Network.
type Config struct {
	Net bootspec.Net
	// Named are the NIC names in the plan outside of Net. A NIC that has one of them keeps it.
	Named []string
	// LinkFiles are the .link files, in their order, that name NICs which no parameter names.
	// Without files NICs keep the kernel's names.
	LinkFiles []*linkfile.File
	// WantRootPath: DHCP is to supply the target, so an answer with a root path is preferred.
	WantRootPath bool
	// NeedRootPath: without that answer there is no target, so it is waited for longer, also on
	// links that have carrier.
	NeedRootPath bool
	// Targets are the addresses of each target's portals, as far as they are known. They
	// determine which NIC to wait for, and which of several NICs gets a static address.
	Targets [][]netip.Addr
	// Complete: nothing but an address is required from a server.
	Complete bool
	// SysClassNet is /sys/class/net; it distinguishes hardware from software devices.
	SysClassNet string
	// Report is called for each change to what is waited for, Up for each line that is up, and
	// Warn with the text of a warning; all may be nil. They must not block, and are called from
	// one goroutine.
	Report func(State)
	Up     func(dhcp.Lease)
	Warn   func(string)
	// Loading returns the drivers that are still being loaded: while there are any, a missing
	// interface may still appear. It may be nil, must not block, and is called by Wait.
	Loading func() []string
	// StopLimit is how long Stop and Undo wait for tasks that a driver can block; 0: 2 s.
	StopLimit time.Duration
	// SinceBoot is the clock for the times of leases; DHCP requires it.
	SinceBoot func() time.Duration
	// OthersLimit is how long Wait waits for the other lines once the first is up. They are
	// still brought up after that. 0: 3 s.
	OthersLimit time.Duration
}

// Defaults of Config.StopLimit and Config.OthersLimit.
const (
	// stopLimit is a small part of the time from root's mount to the real init: a driver that
	// blocks a call longer has most likely hung.
	stopLimit = 2 * time.Second
	// othersLimit is enough for DHCP on a second link that has carrier, and the most that a
	// link without a server delays the boot.
	othersLimit = 3 * time.Second
)

// Network brings up the lines of a plan in the background, from Start to Stop or Undo.
type Network struct {
	cfg    Config
	ctx    context.Context // ends with Stop
	cancel context.CancelFunc
	ended  chan struct{} // closed when the loop has ended
	tasks  *tasks
	events chan func() // calls for the loop, from other goroutines

	// Used by the loop only:
	devices     *devices
	preparing   map[int]*preparation // by link
	links       []*link
	unused      map[int]string // names of links that match no line, by index
	lines       []*line
	othersTimed bool // the first line is up, and the timers for the others run
	joinCount   int  // links added to lines so far

	// mu guards the rest, which the loop writes and Wait and others read. Config.Report is
	// called with it held; no other lock is taken under it.
	mu                      sync.Mutex
	leases                  []*dhcp.Lease // in the order of the lines; nil: not up yet
	joined                  []*dhcp.Lease // of further links, in the order in which they were added
	othersExpired           bool          // OthersLimit has passed
	rootPathOptionalExpired bool          // rootPathPatience has passed
	rootPathRequiredExpired bool          // rootPathLimit has passed
	root                    string        // the NIC of root's session, set by HandOver
	remaining, remainingUp  bool          // see remainingLinks
	fatal                   error         // the error that ended the work
	waiting                 State
	busy                    []string      // links that are being prepared
	changed                 chan struct{} // closed at the next change of these
}

// Start brings up the lines on the links that exist, and on those that appear later. It does not
// wait for them. No other Network may use the same links.
func Start(cfg Config) (*Network, error) {
	n := &Network{cfg: cfg, tasks: newTasks(), preparing: map[int]*preparation{}, ended: make(chan struct{}), events: make(chan func(), 64), changed: make(chan struct{})}
	for i, v := range cfg.Net.Lines() {
		ln := &line{
			IP: v.V, from: v.From, index: i,
			attempts: map[int]context.CancelFunc{}, soliciting: map[int]context.CancelFunc{}, joined: map[int]*joinedLink{},
		}
		ln.neighbours = ln.expectedNeighbours(cfg.Targets)
		n.lines = append(n.lines, ln)
	}
	n.devices = newDevices(cfg, func(text string) { n.post(func() { n.warn(text) }) })
	n.unused = map[int]string{}
	n.leases = make([]*dhcp.Lease, len(n.lines))
	n.waiting = n.state()
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

// loop is the one goroutine that makes decisions. It ends when ctx does. It makes no call that a
// driver can block: tasks do, and each posts its result to the loop.
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

// post has the loop call f. It returns immediately if the loop has ended.
func (n *Network) post(f func()) {
	select {
	case n.events <- f:
	case <-n.ended:
	}
}

// after has the loop call f after d.
func (n *Network) after(d time.Duration, f func()) *time.Timer {
	return time.AfterFunc(d, contain.Func("network timer", func() { n.post(f) }, nil))
}

// onPanic warns of a panic in a task whose result nothing waits for.
func (n *Network) onPanic(err error) { n.post(func() { n.warn(err.Error()) }) }

// publish copies the loop's state to the fields that Wait reads, and calls change with mu held. The
// caller does not hold mu.
func (n *Network) publish(change func()) {
	s, busy := n.state(), n.busyLinks()
	remaining, withCarrier := n.remainingLinks()
	n.mu.Lock()
	defer n.mu.Unlock()
	news := s.String() != n.waiting.String()
	others := remaining != n.remaining || withCarrier != n.remainingUp
	if change != nil {
		change()
	}
	n.waiting, n.busy, n.remaining, n.remainingUp = s, busy, remaining, withCarrier
	if news && n.cfg.Report != nil && (s.Waiting != "" || slices.Contains(n.leases, nil)) {
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

// Wait returns the leases as soon as the boot can continue with them, see enough; the boot's lease
// comes first. When ctx ends it returns a *WaitError; more leases may come later.
func (n *Network) Wait(ctx context.Context) ([]dhcp.Lease, error) {
	for {
		over := ctx.Err() // read first: leases that arrived before the end are returned
		n.mu.Lock()
		leases, enough := n.enough()
		err, changed, s, busy := n.fatal, n.changed, n.waiting, n.busy
		n.mu.Unlock()
		switch {
		case enough:
			return leases, nil
		case err != nil:
			return nil, err
		case over != nil:
			return nil, &WaitError{State: n.withBusy(s, busy), Err: over}
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

// Leases returns a lease for each NIC that is up, the boot's first.
func (n *Network) Leases() []dhcp.Lease {
	if n == nil {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.present()
}

// Stop ends the work. What is up stays up. The other links, including those that are being
// configured, are left as they were found, except those whose drivers do not return in time: a
// warning names them. Stop may be called twice.
func (n *Network) Stop() {
	if n != nil {
		n.stop(func() {})
	}
}

// stop is Stop. It calls ended after the loop's end, before links are left.
func (n *Network) stop(ended func()) {
	n.cancel()
	<-n.ended
	ended()
	for _, l := range n.links {
		n.dropUnfinished(l)
	}
	n.finish()
}

// dropUnfinished takes from a link the addresses of lines that are not completely configured on it.
// It is called after the loop's end.
func (n *Network) dropUnfinished(l *link) {
	kept := false
	for _, ln := range n.lines {
		if ln.has(l) && !ln.complete(l) {
			ln.dropLink(l)
		}
		kept = kept || ln.has(l)
	}
	if l.addressed && !kept {
		n.deleteAddresses(l)
	}
	n.release(l)
}

// Undo stops, and removes the configuration of all links.
func (n *Network) Undo() {
	if n == nil {
		return
	}
	n.Stop()
	for _, ln := range n.lines {
		for _, j := range ln.joined {
			n.takeBack(ln, j.link)
		}
		if ln.primary != nil {
			n.takeBack(ln, ln.primary)
		}
	}
	n.finish()
}

// takeBack leaves a line's link as it was found. It is called after the loop's end.
func (n *Network) takeBack(ln *line, l *link) {
	ln.dropLink(l)
	n.deleteAddresses(l)
	n.release(l)
}

// finish waits, up to StopLimit, for the tasks that are running. They start nothing more.
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

// loopbackUp sets lo up, which the real system's early programs expect. A kernel without lo boots
// too.
func loopbackUp() {
	if lo, err := netlink.LinkByName("lo"); err == nil {
		_ = netlink.LinkSetUp(lo)
	}
}
