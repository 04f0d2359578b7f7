package network

import (
	"fmt"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/contain"
)

// preparation is the renaming and configuring of a link before its lines may use it. A task does
// it, because the driver can block it for a minute and more.
type preparation struct {
	link string
	// next is the newest message about the link that was received meanwhile. Those before it
	// are not needed: each has the link's complete state.
	next *netlink.LinkUpdate
}

// onLink handles a message about a link.
func (n *Network) onLink(u netlink.LinkUpdate) {
	index := u.Attrs().Index
	if u.Header.Type == unix.RTM_DELLINK {
		n.onLinkRemoved(index)
		return
	}
	if w := n.preparing[index]; w != nil {
		w.next = &u
		return
	}
	if !n.devices.needsPreparing(u.Link) {
		n.addLink(u)
		return
	}
	w := &preparation{link: u.Attrs().Name}
	n.preparing[index] = w
	n.tasks.queue(index, u.Attrs().Name, func() {
		var ignored bool
		err := contain.Call("", func() (err error) {
			ignored, err = n.devices.prepare(n.ctx, u.Link)
			return err
		})
		n.post(func() { n.onPrepared(w, u, ignored, err) })
	}, nil)
}

// onPrepared continues with a link whose preparation has ended, unless it has disappeared
// meanwhile.
func (n *Network) onPrepared(w *preparation, u netlink.LinkUpdate, ignored bool, err error) {
	if n.preparing[u.Attrs().Index] != w {
		return
	}
	delete(n.preparing, u.Attrs().Index)
	if ignored || err != nil {
		n.ignore(u.Attrs(), err)
	} else {
		n.addLink(u)
	}
	if w.next != nil {
		n.onLink(*w.next)
	}
}

// onLinkRemoved handles the end of a link.
func (n *Network) onLinkRemoved(index int) {
	n.devices.forget(index)
	delete(n.preparing, index)
	delete(n.unused, index)
	if at := slices.IndexFunc(n.links, func(l *link) bool { return l.index == index }); at >= 0 {
		n.detach(n.links[at])
		n.links = slices.Delete(n.links, at, at+1)
	}
}

// addLink offers a prepared link to the lines.
func (n *Network) addLink(u netlink.LinkUpdate) {
	attrs := u.Attrs()
	at := slices.IndexFunc(n.links, func(l *link) bool { return l.index == attrs.Index })
	if at < 0 && !slices.ContainsFunc(n.lines, func(ln *line) bool { return ln.acceptsMore() && n.matches(ln, u.Link) }) {
		n.ignore(attrs, nil)
		return
	}
	delete(n.unused, attrs.Index) // it may have been there under an earlier name
	if at < 0 {                   // in the kernel's order, not that of the drivers
		at, _ = slices.BinarySearchFunc(n.links, attrs.Index, func(l *link, index int) int { return l.index - index })
		n.links = slices.Insert(n.links, at, &link{index: attrs.Index})
	}
	l := n.links[at]
	l.update(u)
	if !l.up && !l.broughtUp && n.needed(l) {
		n.bringUp(l)
	}
	n.onCarrier(l)
}

// ignore records a link that matches no line. An error in its preparation ends the work.
func (n *Network) ignore(attrs *netlink.LinkAttrs, err error) {
	if err != nil {
		n.fail(fmt.Errorf("network: %w", err))
	}
	if attrs.Name != "lo" {
		n.unused[attrs.Index] = attrs.Name
	}
}

// bringUp sets a link up, and retries after retryDelay if that fails.
func (n *Network) bringUp(l *link) {
	l.broughtUp = true
	link := l.Link
	n.tasks.queue(l.index, l.name, func() {
		err := contain.Call("", func() error { return setUpAfterProbe(n.ctx, n.cfg.SysClassNet, link) })
		if err == nil {
			return
		}
		n.post(func() {
			if text := fmt.Sprintf("set link up %s: %v", l.name, err); text != l.upError {
				l.upError = text
				n.warn(text)
			}
		})
		n.after(retryDelay, func() {
			if !l.up && slices.Contains(n.links, l) && n.needed(l) {
				n.bringUp(l)
			}
		})
	}, nil)
}

// deleteAddresses removes a link's addresses.
func (n *Network) deleteAddresses(l *link) {
	link := l.Link
	l.addressed = false
	n.tasks.queue(l.index, l.name, func() { deleteAddresses(link) }, nil)
}

// release leaves a link as it was found if no line uses or accepts it.
func (n *Network) release(l *link) {
	for _, ln := range n.lines {
		if ln.has(l) || ln.acceptsMore() && n.ctx.Err() == nil && n.matches(ln, l.Link) {
			return
		}
	}
	if l.broughtUp {
		l.broughtUp = false
		l.resetCarrier()
		link := l.Link
		n.tasks.queue(l.index, l.name, func() { setDown(link) }, n.onPanic)
	}
}
