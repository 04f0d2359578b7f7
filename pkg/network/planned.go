package network

import (
	"fmt"
	"slices"

	"github.com/vishvananda/netlink"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/contain"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

// StopKeeping is Stop, but a link that is not up, as without a carrier, is set up with the static
// address of a line that names its NIC if wanted returns true for that: the address works as soon
// as the carrier comes. It is among the leases from then on.
func (n *Network) StopKeeping(wanted func(dhcp.Lease) bool) {
	if n == nil {
		return
	}
	n.stop(func() {
		for _, ln := range n.lines {
			if !ln.up && !ln.anyNIC() && slices.Equal(ln.Methods, []bootspec.Method{bootspec.Static}) {
				n.keepPlanned(ln, wanted)
			}
		}
	})
}

// keepPlanned gives the address of a line to its link. It is called after the loop's end.
func (n *Network) keepPlanned(ln *line, wanted func(dhcp.Lease) bool) {
	links := n.matching(ln)
	if len(links) != 1 {
		return
	}
	l := links[0]
	a, link := n.attempt(ln, l), l.Link
	a.boot, a.metric = false, firstMetric+len(n.lines)+ln.index // after those of links that are up
	lease := a.static()
	if !wanted(lease) {
		return
	}
	ln.primary, ln.up, l.addressed = l, true, true
	n.mu.Lock()
	n.leases[ln.index] = &lease
	n.mu.Unlock()
	n.tasks.queue(l.index, l.name, func() {
		if err := contain.Call("", func() error { return a.configurePlanned(link, lease) }); err != nil {
			n.warn(err.Error()) // the agent adds what is missing
		}
	}, nil)
}

// configurePlanned applies a static lease to a link that has no carrier. An IPv6 address is not
// waited for: its duplicate address detection begins when the carrier comes.
func (a *attempt) configurePlanned(link netlink.Link, l dhcp.Lease) error {
	if err := setUp(link); err != nil {
		return fmt.Errorf("set link up %s: %w", a.name, err)
	}
	if err := a.setAddress(link, l.Address); err != nil {
		return err
	}
	return a.setRoutes(link, l)
}
