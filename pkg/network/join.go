package network

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

// joint is a link that joins a line which is up already.
type joint struct {
	link  *link
	order int         // which one it was, for the metric of its routes
	lease *dhcp.Lease // nil: it is being given the address, and Stop takes it back
}

// join gives one more link of a line its address.
func (n *Network) join(ctx context.Context, ln *line, l *link, lease dhcp.Lease) {
	if ln.joined[l.index] != nil {
		return
	}
	n.orders++
	j := &joint{link: l, order: n.orders}
	ln.joined[l.index] = j
	n.configure(ctx, ln, l, lease, func(lease dhcp.Lease, err error) { n.didJoin(ctx, ln, j, lease, err) })
}

// didJoin ends the work on a link that joins.
func (n *Network) didJoin(ctx context.Context, ln *line, j *joint, lease dhcp.Lease, err error) {
	switch {
	case ctx.Err() != nil:
		return
	case err != nil:
		delete(ln.joined, j.link.index)
		n.failed(ctx, ln, j.link, err)
		return
	}
	if n.cfg.Up != nil {
		n.cfg.Up(lease)
	}
	n.publish(func() {
		j.lease = &lease
		n.joined = append(n.joined, &lease)
	})
	n.lookForOthers(j.link, lease.Address.Addr())
}

// unjoin takes it in that a link has lost its address. Where that was the line's
// first one, another takes its place.
func (n *Network) unjoin(ln *line, l *link) {
	if j := ln.joined[l.index]; j != nil {
		delete(ln.joined, l.index)
		n.publish(func() { n.drop(j) })
	}
	if ln.winner != nil {
		return
	}
	for index, j := range ln.joined {
		if j.lease == nil {
			continue
		}
		delete(ln.joined, index)
		ln.winner, ln.up = j.link, true
		n.publish(func() {
			n.drop(j)
			n.leases[ln.index] = j.lease
		})
		return
	}
}

// drop takes a lease out of the list of those that joined; mu is held.
func (n *Network) drop(j *joint) {
	n.joined = slices.DeleteFunc(n.joined, func(l *dhcp.Lease) bool { return l == j.lease })
}

// How long a lease without a root path waits for one that names the target:
// rootPathLimit on links that have carrier, if no target is known without it, and else
// rootPathPatience. A switch port can take half a minute to forward (IEEE 802.1D-2004
// section 17.14, twice the Bridge Forward Delay).
const (
	rootPathPatience = 5 * time.Second
	rootPathLimit    = 45 * time.Second
)

// firstIsUp begins the times for which the first address waits for others.
func (n *Network) firstIsUp() {
	if n.patient {
		return
	}
	n.patient = true
	n.after(cmp.Or(n.cfg.OthersLimit, othersLimit), func() { n.publish(func() { n.late = true }) })
	if n.cfg.WantRootPath {
		n.after(rootPathPatience, func() { n.publish(func() { n.dark = true }) })
		n.after(rootPathLimit, func() { n.publish(func() { n.pathless = true }) })
	}
}

// rest tells whether a line that is for all links has some that have got no
// address: possible, if any, and pending, if one of them has carrier.
func (n *Network) rest() (possible, pending bool) {
	if len(n.links) < 2 {
		return false, false
	}
	for _, ln := range n.lines {
		if !ln.all() {
			continue
		}
		for _, l := range n.wanted(ln) {
			if j := ln.joined[l.index]; ln.winner != l && (j == nil || j.lease == nil) {
				possible, pending = true, pending || l.carrier
			}
		}
	}
	return possible, pending
}
