package network

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

// line is one configuration to bring up, on one of the links that it wants.
type line struct {
	bootspec.IP
	from  string
	index int

	attempts map[int]context.CancelFunc // by the link's index
	waits    string                     // what is waited for on a link with carrier
	failure  string                     // what was warned of last
	lasting  bool                       // waits is nothing that time could help against
	winner   *link                      // that gets the address, or has it
	up       bool                       // it has
	joined   map[int]*joint             // the links beside it, by index, where the line is for all

	ask    []netip.Addr               // of whom one is a neighbour on the right link; none: any link is
	asking map[int]context.CancelFunc // by the link's index
	silent bool                       // they have had their time
	sure   bool                       // one has answered on the winner
}

// any tells that the line does not say which NIC it is for.
func (ln *line) any() bool { return ln.Device == "" && ln.MAC == "" }

// all tells that the line is for every link that gets an answer: it names none,
// and each has an address of its own.
func (ln *line) all() bool { return ln.any() && ln.Leased() && !ln.Address.IsValid() }

// open tells whether the line would take one more link, or another one.
func (ln *line) open() bool { return ln.winner == nil || ln.all() || len(ln.ask) > 0 && !ln.sure }

// has tells whether the line gives the link an address.
func (ln *line) has(l *link) bool { return ln.winner == l || ln.joined[l.index] != nil }

// finished tells whether a link has all that the line gives it.
func (ln *line) finished(l *link) bool {
	j := ln.joined[l.index]
	return ln.winner == l && ln.up || j != nil && j.lease != nil
}

// forget lets the line be without a link.
func (ln *line) forget(l *link) {
	delete(ln.joined, l.index)
	if ln.winner == l {
		ln.winner = nil
	}
}

// wants tells whether a link is the one that a line names, by MAC, name or PCI
// address (which no name looks like: it has colons), or, if it names none, a
// piece of Ethernet hardware that no other line names.
func (n *Network) wants(ln *line, u netlink.Link) bool {
	attrs := u.Attrs()
	switch {
	case ln.MAC != "":
		its := attrs.HardwareAddr.String() == ln.MAC || attrs.PermHWAddr.String() == ln.MAC // it may have been given another one
		return its && hardware(n.cfg.SysClassNet, attrs.Name)
	case ln.Device != "":
		return attrs.Name == ln.Device || strings.Contains(ln.Device, ":") && pciAddress(n.cfg.SysClassNet, attrs.Name) == ln.Device
	}
	return attrs.EncapType == "ether" && hardware(n.cfg.SysClassNet, attrs.Name) &&
		!slices.ContainsFunc(n.lines, func(other *line) bool { return !other.any() && n.wants(other, u) })
}

// needed tells whether a line still wants the link.
func (n *Network) needed(l *link) bool {
	return slices.ContainsFunc(n.lines, func(ln *line) bool { return ln.open() && n.wants(ln, l.Link) })
}

// carrier follows the carrier of a link: what is tried on it begins when it has
// lasted, and ends when it goes.
func (n *Network) carrier(l *link) {
	switch {
	case !l.carrier:
		n.abandon(l)
		n.uncontested()
	case l.steady:
		n.try(l)
	case l.timer == nil:
		var timer *time.Timer
		timer = n.after(settle, func() {
			if l.timer == timer {
				l.steady = true
				n.try(l)
			}
		})
		l.timer = timer
	}
}

// abandon ends what is tried on a link.
func (n *Network) abandon(l *link) {
	for _, ln := range n.lines {
		if cancel := ln.attempts[l.index]; cancel != nil && !ln.has(l) {
			cancel()
			delete(ln.attempts, l.index)
		}
		n.unask(ln, l)
	}
}

// try begins on a link what its lines still want.
func (n *Network) try(l *link) {
	for _, ln := range n.lines {
		if !ln.open() || ln.has(l) && ln.sure || !n.wants(ln, l.Link) || n.contested(ln) {
			continue
		}
		if ln.attempts[l.index] == nil && (ln.winner == nil || ln.all()) {
			n.begin(ln, l)
		}
	}
}

// begin tries on a link what a line wants.
func (n *Network) begin(ln *line, l *link) {
	ctx, cancel := context.WithCancel(n.ctx)
	ln.attempts[l.index] = cancel
	a := n.attempt(ln, l)
	n.tasks.start(a.name, func() {
		lease, err := a.safely(ctx, a.run)
		n.later(func() { n.answered(ctx, ln, l, lease, err) })
	}, nil)
}

// configure has a task give a link what a line's lease says. It is queued: what
// takes the link's addresses away later must not overtake it.
func (n *Network) configure(ctx context.Context, ln *line, l *link, lease dhcp.Lease, then func(dhcp.Lease, error)) {
	a, link := n.attempt(ln, l), l.Link
	l.given = true
	n.tasks.queue(l.index, l.name, func() {
		lease, err := a.safely(ctx, func(ctx context.Context) (dhcp.Lease, error) { return a.configure(ctx, link, lease) })
		n.later(func() { then(lease, err) })
	}, nil)
}

// attempt is what a line wants of a link.
func (n *Network) attempt(ln *line, l *link) *attempt {
	a := &attempt{
		IP: ln.IP, name: l.name, mac: l.mac, root: n.cfg.WantRootPath,
		net: n.cfg.Net, boot: ln.index == 0, sinceBoot: n.cfg.SinceBoot,
		limit: n.cfg.Net.Limit("dhcp").Or(bootspec.Timeout{Limit: methodLimit}).Limit,
	}
	switch j := ln.joined[l.index]; {
	case j != nil:
		a.boot, a.metric = false, firstMetric+len(n.lines)+j.order
	case ln.index > 0:
		a.metric = firstMetric + ln.index
	}
	a.report = func(text string) { n.later(func() { ln.waits = text }) }
	return a
}

// firstMetric is where the metrics of routes begin that are not the boot's.
const firstMetric = 100

// again is how long what cannot be now is left alone.
const again = 5 * time.Second

// answered takes the end of an attempt in.
func (n *Network) answered(ctx context.Context, ln *line, l *link, lease dhcp.Lease, err error) {
	switch {
	case ctx.Err() != nil: // it is not wanted any more
	case err != nil:
		n.failed(ctx, ln, l, err)
	case n.cfg.WantRootPath && ln.Leased() && !ln.all() && lease.RootPath == "" && len(n.wanted(ln)) > 1:
		// Another link may know the target, where this one does not.
		ln.waits = fmt.Sprintf("%s: no root path from %s", l.name, lease.Server)
		n.after(rootPathPatience, func() { n.take(ctx, ln, l, lease) })
	default:
		n.take(ctx, ln, l, lease)
	}
}

// wanted lists the links that a line would take.
func (n *Network) wanted(ln *line) []*link {
	var out []*link
	for _, l := range n.links {
		if n.wants(ln, l.Link) {
			out = append(out, l)
		}
	}
	return out
}

// failed lets a link be tried again after a while.
func (n *Network) failed(ctx context.Context, ln *line, l *link, err error) {
	if text := err.Error(); text != ln.failure {
		ln.failure = text
		n.warn(text)
	}
	ln.waits, ln.lasting = err.Error(), lasting(err)
	if ln.winner == l {
		ln.winner = nil
	}
	n.after(again, func() {
		if ctx.Err() != nil {
			return
		}
		ln.attempts[l.index]()
		delete(ln.attempts, l.index)
		n.tryAll() // also those that were too late with their answer
	})
}

// take decides for a link: it gets the address, and the others are left alone,
// unless the line is for all.
func (n *Network) take(ctx context.Context, ln *line, l *link, lease dhcp.Lease) {
	switch {
	case ctx.Err() != nil:
		return
	case ln.winner != nil && ln.all():
		n.join(ctx, ln, l, lease)
		return
	case ln.winner != nil:
		ln.attempts[l.index]()
		delete(ln.attempts, l.index)
		return
	}
	ln.winner = l
	if ln.MAC != "" && ln.Device != "" && ln.Device != l.name {
		n.warn(fmt.Sprintf("%s: the NIC with MAC %s is %s, not %s: the MAC is used", ln.from, ln.MAC, l.name, ln.Device))
	}
	n.configure(ctx, ln, l, lease, func(lease dhcp.Lease, err error) { n.configured(ctx, ln, l, lease, err) })
}

// configured ends the work on a line.
func (n *Network) configured(ctx context.Context, ln *line, l *link, lease dhcp.Lease, err error) {
	switch {
	case ctx.Err() != nil:
		if !ln.has(l) { // it is another link's by now
			n.flush(l)
		}
		return
	case err != nil:
		n.failed(ctx, ln, l, err)
		return
	}
	ln.up, ln.waits, ln.lasting = true, "", false
	n.firstIsUp()
	if n.cfg.Up != nil {
		n.cfg.Up(lease)
	}
	n.publish(func() { n.leases[ln.index] = &lease })
	n.lookForOthers(l, lease.Address.Addr())
	n.decided(ln)
}

// decided ends what is tried on links that a line does not take any more.
func (n *Network) decided(ln *line) {
	for index, cancel := range ln.attempts {
		if !ln.open() && index != ln.winner.index {
			cancel()
			delete(ln.attempts, index)
		}
	}
	for _, other := range n.links {
		n.release(other)
	}
}

// gone takes the end of a link in. A line that had it begins anew.
func (n *Network) gone(l *link) {
	l.unsettle()
	for _, ln := range n.lines {
		n.unask(ln, l)
		if cancel := ln.attempts[l.index]; cancel != nil {
			cancel()
			delete(ln.attempts, l.index)
		}
		n.leave(ln, l)
	}
}

// leave takes it in that a link has lost what a line gave it.
func (n *Network) leave(ln *line, l *link) {
	if ln.winner == l {
		ln.winner, ln.up, ln.sure, ln.silent = nil, false, false, false
		n.publish(func() { n.leases[ln.index] = nil })
	}
	n.unjoin(ln, l)
}
