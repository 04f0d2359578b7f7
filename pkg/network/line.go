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

// line is one configuration of the plan, and the links that it is brought up on.
type line struct {
	bootspec.IP
	from  string
	index int

	attempts    map[int]context.CancelFunc // by the link's index
	waiting     string                     // what is waited for on a link with carrier
	lastWarning string                     // the last warning
	permanent   bool                       // waiting cannot change what the line waits for
	primary     *link                      // the link that gets the address, or has it
	up          bool                       // the primary link has the address
	joined      map[int]*joinedLink        // further links, by index, if the line is for every NIC

	neighbours       []netip.Addr               // one of these is on the right link; none: any link is right
	soliciting       map[int]context.CancelFunc // by the link's index
	neighboursSilent bool                       // no neighbour has answered within solicitPatience
	confirmed        bool                       // a neighbour has answered on the primary link
}

// anyNIC reports whether the line does not name its NIC.
func (ln *line) anyNIC() bool { return ln.Device == "" && ln.MAC == "" }

// everyNIC reports whether the line is for every link with a server: it names no NIC, and each gets
// an address of its own.
func (ln *line) everyNIC() bool { return ln.anyNIC() && ln.Leased() && !ln.Address.IsValid() }

// acceptsMore reports whether the line accepts one more link, or a different one.
func (ln *line) acceptsMore() bool {
	return ln.primary == nil || ln.everyNIC() || len(ln.neighbours) > 0 && !ln.confirmed
}

// has reports whether the line gives the link an address.
func (ln *line) has(l *link) bool { return ln.primary == l || ln.joined[l.index] != nil }

// complete reports whether a link is completely configured for the line.
func (ln *line) complete(l *link) bool {
	j := ln.joined[l.index]
	return ln.primary == l && ln.up || j != nil && j.lease != nil
}

// dropLink removes a link from the line.
func (ln *line) dropLink(l *link) {
	delete(ln.joined, l.index)
	if ln.primary == l {
		ln.primary = nil
	}
}

// matches reports whether a link is the one that a line names, by MAC, name or PCI address (which
// no name can equal: it has colons), or, if the line names none, a piece of Ethernet hardware that
// no other line names.
func (n *Network) matches(ln *line, u netlink.Link) bool {
	attrs := u.Attrs()
	switch {
	case ln.MAC != "":
		its := attrs.HardwareAddr.String() == ln.MAC || attrs.PermHWAddr.String() == ln.MAC // its MAC may have been changed
		return its && hardware(n.cfg.SysClassNet, attrs.Name)
	case ln.Device != "":
		return attrs.Name == ln.Device || strings.Contains(ln.Device, ":") && pciAddress(n.cfg.SysClassNet, attrs.Name) == ln.Device
	}
	return attrs.EncapType == "ether" && hardware(n.cfg.SysClassNet, attrs.Name) &&
		!slices.ContainsFunc(n.lines, func(other *line) bool { return !other.anyNIC() && n.matches(other, u) })
}

// needed reports whether a line still accepts the link.
func (n *Network) needed(l *link) bool {
	return slices.ContainsFunc(n.lines, func(ln *line) bool { return ln.acceptsMore() && n.matches(ln, l.Link) })
}

// onCarrier follows the carrier of a link: attempts start when it has been up for carrierSettle,
// and are cancelled when it is lost.
func (n *Network) onCarrier(l *link) {
	switch {
	case !l.carrier:
		n.cancelAttempts(l)
		n.startUncontested()
	case l.settled:
		n.start(l)
	case l.settleTimer == nil:
		var timer *time.Timer
		timer = n.after(carrierSettle, func() {
			if l.settleTimer == timer {
				l.settled = true
				n.start(l)
			}
		})
		l.settleTimer = timer
	}
}

// cancelAttempts ends the attempts on a link that has no address.
func (n *Network) cancelAttempts(l *link) {
	for _, ln := range n.lines {
		if cancel := ln.attempts[l.index]; cancel != nil && !ln.has(l) {
			cancel()
			delete(ln.attempts, l.index)
		}
		n.stopSoliciting(ln, l)
	}
}

// start begins attempts on a link for the lines that accept it.
func (n *Network) start(l *link) {
	for _, ln := range n.lines {
		if !ln.acceptsMore() || ln.has(l) && ln.confirmed || !n.matches(ln, l.Link) || n.needsNeighbour(ln) {
			continue
		}
		if ln.attempts[l.index] == nil && (ln.primary == nil || ln.everyNIC()) {
			n.startAttempt(ln, l)
		}
	}
}

// startAttempt begins an attempt for a line on a link.
func (n *Network) startAttempt(ln *line, l *link) {
	ctx, cancel := context.WithCancel(n.ctx)
	ln.attempts[l.index] = cancel
	a := n.attempt(ln, l)
	n.tasks.start(a.name, func() {
		lease, err := a.safely(ctx, a.run)
		n.post(func() { n.onResult(ctx, ln, l, lease, err) })
	}, nil)
}

// configure has a task configure a line's lease on a link. The task is queued, so that a later
// removal of the addresses cannot overtake it.
func (n *Network) configure(ctx context.Context, ln *line, l *link, lease dhcp.Lease, then func(dhcp.Lease, error)) {
	a, link := n.attempt(ln, l), l.Link
	l.addressed = true
	n.tasks.queue(l.index, l.name, func() {
		lease, err := a.safely(ctx, func(ctx context.Context) (dhcp.Lease, error) { return a.configure(ctx, link, lease) })
		n.post(func() { then(lease, err) })
	}, nil)
}

// attempt returns the attempt for a line on a link.
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
	a.report = func(text string) { n.post(func() { ln.waiting = text }) }
	return a
}

// firstMetric is the first metric of routes that are not the boot's.
const firstMetric = 100

// retryDelay is the time between a failure on a link and the next attempt.
const retryDelay = 5 * time.Second

// onResult handles the result of an attempt.
func (n *Network) onResult(ctx context.Context, ln *line, l *link, lease dhcp.Lease, err error) {
	switch {
	case ctx.Err() != nil: // the attempt was cancelled
	case err != nil:
		n.onFailure(ctx, ln, l, err)
	case n.cfg.WantRootPath && ln.Leased() && !ln.everyNIC() && lease.RootPath == "" && len(n.matching(ln)) > 1:
		// Another link's server may supply a root path.
		ln.waiting = fmt.Sprintf("%s: no root path from %s", l.name, lease.Server)
		n.after(rootPathPatience, func() { n.claim(ctx, ln, l, lease) })
	default:
		n.claim(ctx, ln, l, lease)
	}
}

// matching lists the links that match a line.
func (n *Network) matching(ln *line) []*link {
	var out []*link
	for _, l := range n.links {
		if n.matches(ln, l.Link) {
			out = append(out, l)
		}
	}
	return out
}

// onFailure reports a failed attempt, and retries after retryDelay.
func (n *Network) onFailure(ctx context.Context, ln *line, l *link, err error) {
	if text := err.Error(); text != ln.lastWarning {
		ln.lastWarning = text
		n.warn(text)
	}
	ln.waiting, ln.permanent = err.Error(), isPermanent(err)
	if ln.primary == l {
		ln.primary = nil
	}
	n.after(retryDelay, func() {
		if ctx.Err() != nil {
			return
		}
		ln.attempts[l.index]()
		delete(ln.attempts, l.index)
		n.startAll() // also those whose answer came too late
	})
}

// claim makes a link the primary one of a line, or adds it if the line is for every NIC. Otherwise
// the attempt is cancelled.
func (n *Network) claim(ctx context.Context, ln *line, l *link, lease dhcp.Lease) {
	switch {
	case ctx.Err() != nil:
		return
	case ln.primary != nil && ln.everyNIC():
		n.join(ctx, ln, l, lease)
		return
	case ln.primary != nil:
		ln.attempts[l.index]()
		delete(ln.attempts, l.index)
		return
	}
	ln.primary = l
	if ln.MAC != "" && ln.Device != "" && ln.Device != l.name {
		n.warn(fmt.Sprintf("%s: the NIC with MAC %s is %s, not %s: the MAC is used", ln.from, ln.MAC, l.name, ln.Device))
	}
	n.configure(ctx, ln, l, lease, func(lease dhcp.Lease, err error) { n.onConfigured(ctx, ln, l, lease, err) })
}

// onConfigured handles the end of the configuration of a line's primary link.
func (n *Network) onConfigured(ctx context.Context, ln *line, l *link, lease dhcp.Lease, err error) {
	switch {
	case ctx.Err() != nil:
		if !ln.has(l) { // another link has been chosen meanwhile
			n.deleteAddresses(l)
		}
		return
	case err != nil:
		n.onFailure(ctx, ln, l, err)
		return
	}
	ln.up, ln.waiting, ln.permanent = true, "", false
	n.startOthersTimers()
	if n.cfg.Up != nil {
		n.cfg.Up(lease)
	}
	n.publish(func() { n.leases[ln.index] = &lease })
	n.detectDuplicate(l, lease.Address.Addr())
	n.stopOthers(ln)
}

// stopOthers cancels the attempts on links that a line no longer accepts.
func (n *Network) stopOthers(ln *line) {
	for index, cancel := range ln.attempts {
		if !ln.acceptsMore() && index != ln.primary.index {
			cancel()
			delete(ln.attempts, index)
		}
	}
	for _, other := range n.links {
		n.release(other)
	}
}

// detach removes a link that has disappeared. A line that used it starts over.
func (n *Network) detach(l *link) {
	l.resetCarrier()
	for _, ln := range n.lines {
		n.stopSoliciting(ln, l)
		if cancel := ln.attempts[l.index]; cancel != nil {
			cancel()
			delete(ln.attempts, l.index)
		}
		n.onAddressLost(ln, l)
	}
}

// onAddressLost handles that a link no longer has the address of a line.
func (n *Network) onAddressLost(ln *line, l *link) {
	if ln.primary == l {
		ln.primary, ln.up, ln.confirmed, ln.neighboursSilent = nil, false, false, false
		n.publish(func() { n.leases[ln.index] = nil })
	}
	n.removeJoined(ln, l)
}
