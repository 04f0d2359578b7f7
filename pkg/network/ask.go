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

// askPatience is for how long neighbours may be silent until that is told, and
// askAgain the time after which the kernel is told to ask anew: it gives up after
// three requests, a second apart (net/core/neighbour.c: neigh_timer_handler).
const (
	askPatience = 2 * time.Second
	askAgain    = 4 * time.Second
)

// neighbours are addresses of which one must be on the link that gets a static
// address which no NIC is named for: the targets in its network, or else the
// gateway that they are behind.
func (ln *line) neighbours(targets [][]netip.Addr) []netip.Addr {
	if !ln.any() || len(targets) == 0 || !slices.Equal(ln.Methods, []bootspec.Method{bootspec.Static}) || ln.Peer.IsValid() {
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

// contested tells whether a link of a line has to wait for a neighbour's answer:
// others have carrier too, or the line has an address, which only an answer
// moves. All are asked then. A link that is the only one is not.
func (n *Network) contested(ln *line) bool {
	if len(ln.ask) == 0 || ln.sure || len(n.links) < 2 {
		return false
	}
	rivals := n.wanted(ln)
	lit := 0
	for _, r := range rivals {
		if r.carrier {
			lit++
		}
		if r.steady && ln.asking[r.index] == nil && len(rivals) > 1 {
			n.ask(ln, r)
		}
	}
	return lit > 1 || ln.winner != nil
}

// uncontested lets the links go on whose rival's carrier went.
func (n *Network) uncontested() {
	for _, ln := range n.lines {
		if len(ln.ask) > 0 && ln.winner == nil {
			n.tryAll()
			return
		}
	}
}

func (n *Network) tryAll() {
	for _, l := range n.links {
		if l.steady {
			n.try(l)
		}
	}
}

// ask asks for a line's neighbours on a link.
func (n *Network) ask(ln *line, l *link) {
	ctx, cancel := context.WithCancel(n.ctx)
	ln.asking[l.index] = cancel
	index, addrs := l.index, ln.ask
	n.tasks.start(l.name, func() {
		who, err := neighbour(ctx, index, addrs)
		n.later(func() { n.heard(ctx, ln, l, who, err) })
	}, n.broken)
	n.after(askPatience, func() {
		if ctx.Err() == nil {
			ln.silent = true
		}
	})
}

// unask ends that on a link.
func (n *Network) unask(ln *line, l *link) {
	if cancel := ln.asking[l.index]; cancel != nil {
		cancel()
		delete(ln.asking, l.index)
	}
}

// heard takes an answer in: the line is for that link.
func (n *Network) heard(ctx context.Context, ln *line, l *link, who netip.Addr, err error) {
	if ctx.Err() != nil {
		return
	}
	for index, cancel := range ln.asking {
		cancel()
		delete(ln.asking, index)
	}
	ln.silent = false
	if err != nil {
		n.warn(err.Error())
		ln.ask = nil // the first link gets the address, as without neighbours to ask for
		n.tryAll()
		return
	}
	old := ln.winner
	switch {
	case old == l:
		ln.sure = true
		n.decided(ln)
		return
	case old != nil:
		n.warn(fmt.Sprintf("%s answers on %s and not on %s: %s moves there", who, l.name, old.name, ln.Address))
		n.move(ln, old)
	}
	ln.sure = true
	for index, cancel := range ln.attempts {
		cancel()
		delete(ln.attempts, index)
	}
	n.begin(ln, l)
}

// move takes a line's address away from a link.
func (n *Network) move(ln *line, from *link) {
	n.flush(from)
	n.leave(ln, from)
}

// unanswered names the neighbours that are waited for, and on which links; "": none.
func (n *Network) unanswered(ln *line) string {
	if !ln.silent {
		return ""
	}
	var on []string
	for _, l := range n.links {
		if ln.asking[l.index] != nil {
			on = append(on, l.name)
		}
	}
	if len(on) == 0 {
		return ""
	}
	var who []string
	for _, a := range ln.ask {
		who = append(who, a.String())
	}
	return fmt.Sprintf("%s does not answer on %s", strings.Join(who, ", "), strings.Join(on, ", "))
}

// neighbour returns which of some addresses is one's on a link, as soon as one
// answers. The kernel asks by ARP (RFC 826), or neighbour solicitation (RFC 4861
// section 7.2.2), without an address of its own if the link has none.
func neighbour(ctx context.Context, index int, addrs []netip.Addr) (netip.Addr, error) {
	w, err := rtwatch.Open(rtwatch.Config{Neighbours: true})
	if err != nil {
		return netip.Addr{}, fmt.Errorf("ask for %s: %w", addrs[0], err)
	}
	defer w.Close()
	again := time.NewTicker(askAgain)
	defer again.Stop()
	for {
		if err := solicit(index, addrs); err != nil {
			return netip.Addr{}, err
		}
		if who, ok := answered(index, addrs); ok {
			return who, nil
		}
		for asked := true; asked; {
			select {
			case u, open := <-w.Updates():
				if !open {
					return netip.Addr{}, w.Err()
				}
				if u.Neighbour != nil && u.Neighbour.LinkIndex == index || u.Lost {
					if who, ok := answered(index, addrs); ok {
						return who, nil
					}
				}
			case <-again.C:
				asked = false
			case <-ctx.Done():
				return netip.Addr{}, ctx.Err()
			}
		}
	}
}

// solicit has the kernel ask. A link that has gone is no error: that is told
// otherwise.
func solicit(index int, addrs []netip.Addr) error {
	for _, a := range addrs {
		use := netlink.Neigh{LinkIndex: index, Family: unix.AF_INET, IP: a.AsSlice(), Flags: netlink.NTF_USE}
		if a.Is6() {
			use.Family = unix.AF_INET6
		}
		if err := netlink.NeighSet(&use); err != nil && !errors.Is(err, unix.ENODEV) && !errors.Is(err, unix.ENETDOWN) {
			return fmt.Errorf("ask for %s: %w", a, err)
		}
	}
	return nil
}

// answered looks at what the kernel knows of a link's neighbours.
func answered(index int, addrs []netip.Addr) (netip.Addr, bool) {
	list, _ := netlink.NeighList(index, netlink.FAMILY_ALL) // a list that changed meanwhile is followed by a message
	for _, n := range list {
		a, _ := netip.AddrFromSlice(n.IP)
		if a = a.Unmap(); n.State&^(netlink.NUD_INCOMPLETE|netlink.NUD_FAILED) != 0 && slices.Contains(addrs, a) {
			return a, true
		}
	}
	return netip.Addr{}, false
}
