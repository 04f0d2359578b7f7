package network

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/network/rtwatch"
)

// solicitPatience is how long neighbours may be silent until that is reported, and solicitInterval
// the time after which the kernel solicits again: it stops after three requests, a second apart
// (net/core/neighbour.c: neigh_timer_handler).
const (
	solicitPatience = 2 * time.Second
	solicitInterval = 4 * time.Second
)

// expectedNeighbours returns the addresses of which one must be on the link that gets a static
// address whose NIC is not named: the targets in its network, or else the gateway that leads to
// them.
func (ln *line) expectedNeighbours(targets [][]netip.Addr) []netip.Addr {
	if !ln.anyNIC() || len(targets) == 0 || !slices.Equal(ln.Methods, []bootspec.Method{bootspec.Static}) || ln.Peer.IsValid() {
		return nil
	}
	var out []netip.Addr
	for _, portals := range targets {
		for _, p := range portals {
			if ln.Address.Contains(p) {
				out = append(out, p)
			}
		}
	}
	if len(out) == 0 && ln.Gateway.IsValid() {
		out = []netip.Addr{ln.Gateway}
	}
	return out
}

// needsNeighbour reports whether a link has to wait for a neighbour's answer before it gets a
// line's address: if other links have carrier too, or the line has an address, which only an answer
// moves. All links are solicited then. The only link needs no answer.
func (n *Network) needsNeighbour(ln *line) bool {
	if len(ln.neighbours) == 0 || ln.confirmed || len(n.links) < 2 {
		return false
	}
	rivals := n.matching(ln)
	lit := 0
	for _, r := range rivals {
		if r.carrier {
			lit++
		}
		if r.settled && ln.soliciting[r.index] == nil && len(rivals) > 1 {
			n.startSoliciting(ln, r)
		}
	}
	return lit > 1 || ln.primary != nil
}

// startUncontested starts links that no longer compete with another one, after a carrier was lost.
func (n *Network) startUncontested() {
	for _, ln := range n.lines {
		if len(ln.neighbours) > 0 && ln.primary == nil {
			n.startAll()
			return
		}
	}
}

func (n *Network) startAll() {
	for _, l := range n.links {
		if l.settled {
			n.start(l)
		}
	}
}

// startSoliciting solicits a line's neighbours on a link.
func (n *Network) startSoliciting(ln *line, l *link) {
	ctx, cancel := context.WithCancel(n.ctx)
	ln.soliciting[l.index] = cancel
	index, addrs := l.index, ln.neighbours
	n.tasks.start(l.name, func() {
		addr, err := awaitNeighbour(ctx, index, addrs)
		n.post(func() { n.onNeighbour(ctx, ln, l, addr, err) })
	}, n.onPanic)
	n.after(solicitPatience, func() {
		if ctx.Err() == nil {
			ln.neighboursSilent = true
		}
	})
}

// stopSoliciting ends that on a link.
func (n *Network) stopSoliciting(ln *line, l *link) {
	if cancel := ln.soliciting[l.index]; cancel != nil {
		cancel()
		delete(ln.soliciting, l.index)
	}
}

// onNeighbour handles the answer of a neighbour: the line's address belongs on that link.
func (n *Network) onNeighbour(ctx context.Context, ln *line, l *link, addr netip.Addr, err error) {
	if ctx.Err() != nil {
		return
	}
	for index, cancel := range ln.soliciting {
		cancel()
		delete(ln.soliciting, index)
	}
	ln.neighboursSilent = false
	if err != nil {
		n.warn(err.Error())
		ln.neighbours = nil // the first link gets the address, as without expected neighbours
		n.startAll()
		return
	}
	old := ln.primary
	switch {
	case old == l:
		ln.confirmed = true
		n.stopOthers(ln)
		return
	case old != nil:
		n.warn(fmt.Sprintf("%s answers on %s and not on %s: %s moves there", addr, l.name, old.name, ln.Address))
		n.moveFrom(ln, old)
	}
	ln.confirmed = true
	for index, cancel := range ln.attempts {
		cancel()
		delete(ln.attempts, index)
	}
	n.startAttempt(ln, l)
}

// moveFrom removes a line's address from a link.
func (n *Network) moveFrom(ln *line, from *link) {
	n.deleteAddresses(from)
	n.onAddressLost(ln, from)
}

// silentNeighbours describes the neighbours that have not answered, and on which links; "": none.
func (n *Network) silentNeighbours(ln *line) string {
	if !ln.neighboursSilent {
		return ""
	}
	var on []string
	for _, l := range n.links {
		if ln.soliciting[l.index] != nil {
			on = append(on, l.name)
		}
	}
	if len(on) == 0 {
		return ""
	}
	var names []string
	for _, a := range ln.neighbours {
		names = append(names, a.String())
	}
	return fmt.Sprintf("%s does not answer on %s", strings.Join(names, ", "), strings.Join(on, ", "))
}

// awaitNeighbour returns the first of some addresses that answers on a link. The kernel solicits by
// ARP (RFC 826), or neighbour solicitation (RFC 4861 section 7.2.2), without a source address if
// the link has none.
func awaitNeighbour(ctx context.Context, index int, addrs []netip.Addr) (netip.Addr, error) {
	w, err := rtwatch.Open(rtwatch.Config{Neighbours: true})
	if err != nil {
		return netip.Addr{}, fmt.Errorf("solicit %s: %w", addrs[0], err)
	}
	defer w.Close()
	again := time.NewTicker(solicitInterval)
	defer again.Stop()
	for {
		if err := solicit(index, addrs); err != nil {
			return netip.Addr{}, err
		}
		if addr, ok := reachable(index, addrs); ok {
			return addr, nil
		}
		for waiting := true; waiting; {
			select {
			case u, open := <-w.Updates():
				if !open {
					return netip.Addr{}, w.Err()
				}
				if u.Neighbour != nil && u.Neighbour.LinkIndex == index || u.Lost {
					if addr, ok := reachable(index, addrs); ok {
						return addr, nil
					}
				}
			case <-again.C:
				waiting = false
			case <-ctx.Done():
				return netip.Addr{}, ctx.Err()
			}
		}
	}
}

// solicit has the kernel solicit addresses. A link that has disappeared is not an error:
// RTM_DELLINK follows.
func solicit(index int, addrs []netip.Addr) error {
	for _, a := range addrs {
		use := netlink.Neigh{LinkIndex: index, Family: unix.AF_INET, IP: a.AsSlice(), Flags: netlink.NTF_USE}
		if a.Is6() {
			use.Family = unix.AF_INET6
		}
		if err := netlink.NeighSet(&use); err != nil && !errors.Is(err, unix.ENODEV) && !errors.Is(err, unix.ENETDOWN) {
			return fmt.Errorf("solicit %s: %w", a, err)
		}
	}
	return nil
}

// reachable returns an address that the kernel's neighbour table of a link has as resolved.
func reachable(index int, addrs []netip.Addr) (netip.Addr, bool) {
	list, _ := netlink.NeighList(index, netlink.FAMILY_ALL) // a change during the dump is followed by a message
	for _, n := range list {
		a, _ := netip.AddrFromSlice(n.IP)
		if a = a.Unmap(); n.State&^(netlink.NUD_INCOMPLETE|netlink.NUD_FAILED) != 0 && slices.Contains(addrs, a) {
			return a, true
		}
	}
	return netip.Addr{}, false
}
