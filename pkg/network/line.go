package network

import (
	"context"
	"fmt"
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
}

// any tells that the line does not say which NIC it is for.
func (ln *line) any() bool { return ln.Device == "" && ln.MAC == "" }

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
	return slices.ContainsFunc(n.lines, func(ln *line) bool { return ln.winner == nil && n.wants(ln, l.Link) })
}

// carrier follows the carrier of a link: what is tried on it begins when it has
// lasted, and ends when it goes.
func (n *Network) carrier(l *link) {
	switch {
	case !l.carrier:
		n.abandon(l)
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
		if cancel := ln.attempts[l.index]; cancel != nil && ln.winner != l {
			cancel()
			delete(ln.attempts, l.index)
		}
	}
}

// try begins on a link what its lines still want.
func (n *Network) try(l *link) {
	for _, ln := range n.lines {
		if ln.winner != nil || ln.attempts[l.index] != nil || !n.wants(ln, l.Link) {
			continue
		}
		ctx, cancel := context.WithCancel(n.ctx)
		ln.attempts[l.index] = cancel
		a := n.attempt(ln, l)
		n.tasks.start(l.name, func() {
			lease, err := a.safely(ctx, a.run)
			n.later(func() { n.answered(ctx, ln, l, lease, err) })
		}, nil)
	}
}

// attempt is what a line wants of a link.
func (n *Network) attempt(ln *line, l *link) *attempt {
	a := &attempt{
		IP: ln.IP, name: l.name, mac: l.mac, root: n.cfg.WantRootPath,
		net: n.cfg.Net, boot: ln.index == 0,
		limit: n.cfg.Net.Limit("dhcp").Or(bootspec.Timeout{Limit: methodLimit}).Limit,
	}
	if ln.index > 0 {
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
	case ctx.Err() != nil: // nobody waits for it any more
	case err != nil:
		n.failed(ctx, ln, l, err)
	case n.cfg.WantRootPath && ln.Leased() && lease.RootPath == "" && len(n.wanted(ln)) > 1:
		// Another link may know the target, where this one does not.
		ln.waits = fmt.Sprintf("%s: no root path from %s", l.name, lease.Server)
		n.after(rootPathPatience, func() { n.take(ctx, ln, l, lease) })
	default:
		n.take(ctx, ln, l, lease)
	}
}

// rootPathPatience is for how long an answer without a root path waits for one
// with it on another link, whose carrier may take longer.
const rootPathPatience = 5 * time.Second

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
	ln.waits, ln.lasting, ln.winner = err.Error(), lasting(err), nil
	n.after(again, func() {
		if ctx.Err() != nil {
			return
		}
		ln.attempts[l.index]()
		delete(ln.attempts, l.index)
		for _, l := range n.links { // also those that were too late with their answer
			if l.steady {
				n.try(l)
			}
		}
	})
}

// take decides for a link: it gets the address, and the others are left alone.
func (n *Network) take(ctx context.Context, ln *line, l *link, lease dhcp.Lease) {
	if ctx.Err() != nil {
		return
	}
	if ln.winner != nil {
		ln.attempts[l.index]()
		delete(ln.attempts, l.index)
		return
	}
	ln.winner = l
	if ln.MAC != "" && ln.Device != "" && ln.Device != l.name {
		n.warn(fmt.Sprintf("%s: the NIC with MAC %s is %s, not %s: the MAC counts", ln.from, ln.MAC, l.name, ln.Device))
	}
	a, link := n.attempt(ln, l), l.Link
	n.tasks.start(l.name, func() {
		lease, err := a.safely(ctx, func(ctx context.Context) (dhcp.Lease, error) { return a.configure(ctx, link, lease) })
		n.later(func() { n.configured(ctx, ln, l, lease, err) })
	}, nil)
}

// configured ends the work on a line.
func (n *Network) configured(ctx context.Context, ln *line, l *link, lease dhcp.Lease, err error) {
	switch {
	case ctx.Err() != nil:
		return
	case err != nil:
		n.failed(ctx, ln, l, err)
		return
	}
	ln.up, ln.waits, ln.lasting = true, "", false
	if n.patient == nil {
		n.patient = n.after(Others, func() { n.publish(func() { n.late = true }) })
	}
	if n.cfg.Up != nil {
		n.cfg.Up(lease)
	}
	n.publish(func() { n.leases[ln.index] = &lease })
	n.lookForOthers(l, lease.Address.Addr())
	for index, cancel := range ln.attempts {
		if index != l.index {
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
		if cancel := ln.attempts[l.index]; cancel != nil {
			cancel()
			delete(ln.attempts, l.index)
		}
		if ln.winner == l {
			ln.winner, ln.up = nil, false
			n.publish(func() { n.leases[ln.index] = nil })
		}
	}
}
