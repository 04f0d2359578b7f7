package network

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

// joinedLink is a further link of a line whose primary link is up.
type joinedLink struct {
	link  *link
	order int         // its number, for the metric of its routes
	lease *dhcp.Lease // nil: it is being configured, and Stop removes the address
}

// join configures a further link for a line.
func (n *Network) join(ctx context.Context, ln *line, l *link, lease dhcp.Lease) {
	if ln.joined[l.index] != nil {
		return
	}
	n.joinCount++
	j := &joinedLink{link: l, order: n.joinCount}
	ln.joined[l.index] = j
	n.configure(ctx, ln, l, lease, func(lease dhcp.Lease, err error) { n.onJoined(ctx, ln, j, lease, err) })
}

// onJoined handles the end of a further link's configuration.
func (n *Network) onJoined(ctx context.Context, ln *line, j *joinedLink, lease dhcp.Lease, err error) {
	switch {
	case ctx.Err() != nil:
		return
	case err != nil:
		delete(ln.joined, j.link.index)
		n.onFailure(ctx, ln, j.link, err)
		return
	}
	if n.cfg.Up != nil {
		n.cfg.Up(lease)
	}
	n.publish(func() {
		j.lease = &lease
		n.joined = append(n.joined, &lease)
	})
	n.detectDuplicate(j.link, lease.Address.Addr())
}

// removeJoined removes a link from a line's further links. If the line has lost its primary link,
// another one takes its place.
func (n *Network) removeJoined(ln *line, l *link) {
	if j := ln.joined[l.index]; j != nil {
		delete(ln.joined, l.index)
		n.publish(func() { n.dropLease(j) })
	}
	if ln.primary != nil {
		return
	}
	for index, j := range ln.joined {
		if j.lease == nil {
			continue
		}
		delete(ln.joined, index)
		ln.primary, ln.up = j.link, true
		n.publish(func() {
			n.dropLease(j)
			n.leases[ln.index] = j.lease
		})
		return
	}
}

// dropLease removes a lease from those of further links; mu is held.
func (n *Network) dropLease(j *joinedLink) {
	n.joined = slices.DeleteFunc(n.joined, func(l *dhcp.Lease) bool { return l == j.lease })
}

// How long a lease without a root path waits for one that names the target: rootPathLimit on links
// that have carrier, if no target is known without it, and else rootPathPatience. A switch port can
// take half a minute to forward (IEEE 802.1D-2004 section 17.14, twice the Bridge Forward Delay).
const (
	rootPathPatience = 5 * time.Second
	rootPathLimit    = 45 * time.Second
)

// startOthersTimers starts the timers that limit how long the first lease waits for others.
func (n *Network) startOthersTimers() {
	if n.othersTimed {
		return
	}
	n.othersTimed = true
	n.after(cmp.Or(n.cfg.OthersLimit, othersLimit), func() { n.publish(func() { n.othersExpired = true }) })
	if n.cfg.WantRootPath {
		n.after(rootPathPatience, func() { n.publish(func() { n.rootPathOptionalExpired = true }) })
		n.after(rootPathLimit, func() { n.publish(func() { n.rootPathRequiredExpired = true }) })
	}
}

// remainingLinks reports whether a line for every NIC has links without an address, and whether one
// of them has carrier.
func (n *Network) remainingLinks() (remaining, withCarrier bool) {
	if len(n.links) < 2 {
		return false, false
	}
	for _, ln := range n.lines {
		if !ln.everyNIC() {
			continue
		}
		for _, l := range n.matching(ln) {
			if j := ln.joined[l.index]; ln.primary != l && (j == nil || j.lease == nil) {
				remaining, withCarrier = true, withCarrier || l.carrier
			}
		}
	}
	return remaining, withCarrier
}
