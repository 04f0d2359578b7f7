package network

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
	"github.com/iscsiroot/iscsiroot/pkg/network/rtwatch"
)

// Config is what a Network is made by.
type Config struct {
	Net bootspec.Net
	// Named are NICs' names that the plan has beside Net: a NIC that has one of
	// them keeps it.
	Named []string
	// WantRootPath: DHCP is to name the target, so an answer that does is
	// better than one that does not.
	WantRootPath bool
	// SysClassNet is /sys/class/net; it tells hardware from software devices.
	SysClassNet string
	// Report is told of each change to what is waited for, Up of each line that
	// is up, and Warn, in words, of what is wrong; all may be nil. They must not
	// block, and are called from one goroutine.
	Report func(State)
	Up     func(dhcp.Lease)
	Warn   func(string)
}

// Network brings the lines of a plan up, in the background, from Start to Stop
// or Undo.
type Network struct {
	cfg    Config
	ctx    context.Context // ends with Stop
	cancel context.CancelFunc
	ended  chan struct{} // closed when the loop has come to its end
	tasks  sync.WaitGroup
	events chan func() // what the loop is to do, for others

	// Of the loop alone:
	devices *devices
	links   []*link
	other   map[int]string // links that no line wants, by index
	lines   []*line
	patient *time.Timer // for the lines that are not up yet, from the first that is

	mu      sync.Mutex
	leases  []*dhcp.Lease // in the order of the lines; nil: not up yet
	late    bool          // the others have had their time
	fatal   error         // why nothing more can come
	waits   State
	changed chan struct{} // closed at the next change of these
}

// Others is for how long the first line that is up waits for the others. They
// come up later all the same.
const Others = 3 * time.Second

// Start begins with what is there, and goes on with what comes. It never blocks
// for long. Nobody may be at work on the same links.
func Start(cfg Config) (*Network, error) {
	n := &Network{cfg: cfg, ended: make(chan struct{}), events: make(chan func(), 64), changed: make(chan struct{})}
	for i, v := range cfg.Net.Lines() {
		n.lines = append(n.lines, &line{IP: v.V, from: v.From, index: i, attempts: map[int]context.CancelFunc{}})
	}
	n.devices, n.other = newDevices(cfg), map[int]string{}
	n.leases = make([]*dhcp.Lease, len(n.lines))
	n.waits = n.state()
	n.ctx, n.cancel = context.WithCancel(context.Background())
	loopbackUp()
	watch, err := watchLinks()
	if err != nil {
		n.cancel()
		return nil, err
	}
	go n.loop(watch)
	return n, nil
}

// loop is the one goroutine that decides.
func (n *Network) loop(watch *rtwatch.Watch) {
	defer close(n.ended)
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

// publish shows the loop's state to those who wait, with a change to what they
// see.
func (n *Network) publish(change func()) {
	s := n.state()
	n.mu.Lock()
	defer n.mu.Unlock()
	news := s.String() != n.waits.String()
	if change != nil {
		change()
	}
	n.waits = s
	if news && n.cfg.Report != nil && len(n.present()) < len(n.leases) {
		n.cfg.Report(s)
	}
	if news || change != nil {
		close(n.changed)
		n.changed = make(chan struct{})
	}
}

func (n *Network) fail(err error) {
	n.publish(func() { n.fatal = err })
}

// Wait returns the leases as soon as the machine can go on by them: one for each
// line that is up, that of the boot first. That is when all are up, or when one
// is and the others have had their time; where DHCP is to name the target, not
// before an answer that does. It ends when ctx does, with a *WaitError; more may
// come after it.
func (n *Network) Wait(ctx context.Context) ([]dhcp.Lease, error) {
	for {
		over := ctx.Err() // asked first: what is there by then counts
		n.mu.Lock()
		leases, enough := n.enough()
		err, changed, s := n.fatal, n.changed, n.waits
		n.mu.Unlock()
		switch {
		case enough:
			return leases, nil
		case err != nil:
			return nil, err
		case over != nil:
			return nil, &WaitError{State: s, Err: over}
		}
		select {
		case <-changed:
		case <-n.ended:
			return nil, context.Canceled
		case <-ctx.Done():
		}
	}
}

// enough tells whether the leases suffice; mu is held.
func (n *Network) enough() ([]dhcp.Lease, bool) {
	leases := n.present()
	if len(leases) == 0 || len(leases) == len(n.leases) {
		return leases, len(leases) > 0
	}
	named := slices.ContainsFunc(leases, func(l dhcp.Lease) bool { return l.RootPath != "" })
	return leases, named || n.late && !n.cfg.WantRootPath
}

// present lists the leases that there are; mu is held.
func (n *Network) present() []dhcp.Lease {
	var out []dhcp.Lease
	for _, l := range n.leases {
		if l != nil {
			out = append(out, *l)
		}
	}
	return out
}

// Leases returns a lease for each line that is up by now, that of the boot
// first.
func (n *Network) Leases() []dhcp.Lease {
	if n == nil {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.present()
}

// Stop ends the work. What is up stays, and the links that nothing came of are
// left as they were found. Stopping twice is harmless.
func (n *Network) Stop() {
	if n == nil {
		return
	}
	n.cancel()
	<-n.ended
	n.tasks.Wait()
	for _, l := range n.links {
		n.release(l)
	}
	n.tasks.Wait()
}

// Undo stops, and takes back what is up.
func (n *Network) Undo() {
	if n == nil {
		return
	}
	n.Stop()
	for _, ln := range n.lines {
		if ln.winner != nil {
			l := ln.winner
			ln.winner = nil
			l.flush()
			n.release(l)
		}
	}
	n.tasks.Wait()
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
