package network

import (
	"fmt"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/contain"
)

// work is what is done to a link before its lines may use it, outside of the
// loop, because its driver can hold that up for a minute and more.
type work struct {
	link string
	// next is the newest message about the link that came meanwhile. Those
	// before it do not matter: each has the whole of the link's state.
	next *netlink.LinkUpdate
}

// saw takes a message about a link in.
func (n *Network) saw(u netlink.LinkUpdate) {
	index := u.Attrs().Index
	if u.Header.Type == unix.RTM_DELLINK {
		n.removed(index)
		return
	}
	if w := n.working[index]; w != nil {
		w.next = &u
		return
	}
	if !n.devices.concerns(u.Link) {
		n.use(u)
		return
	}
	w := &work{link: u.Attrs().Name}
	n.working[index] = w
	n.tasks.queue(index, u.Attrs().Name, func() {
		var ours bool
		err := contain.Call("", func() (err error) {
			ours, err = n.devices.take(n.ctx, u.Link)
			return err
		})
		n.later(func() { n.took(w, u, ours, err) })
	}, nil)
}

// took goes on with a link whose work is done, unless it has gone meanwhile.
func (n *Network) took(w *work, u netlink.LinkUpdate, ours bool, err error) {
	if n.working[u.Attrs().Index] != w {
		return
	}
	delete(n.working, u.Attrs().Index)
	if ours || err != nil {
		n.ours(u.Attrs(), err)
	} else {
		n.use(u)
	}
	if w.next != nil {
		n.saw(*w.next)
	}
}

// removed takes the end of a link in.
func (n *Network) removed(index int) {
	n.devices.forget(index)
	delete(n.working, index)
	delete(n.other, index)
	if at := slices.IndexFunc(n.links, func(l *link) bool { return l.index == index }); at >= 0 {
		n.gone(n.links[at])
		n.links = slices.Delete(n.links, at, at+1)
	}
}

// use lets the lines have a link that is as the plan wants it.
func (n *Network) use(u netlink.LinkUpdate) {
	attrs := u.Attrs()
	at := slices.IndexFunc(n.links, func(l *link) bool { return l.index == attrs.Index })
	if at < 0 && !slices.ContainsFunc(n.lines, func(ln *line) bool { return ln.open() && n.wants(ln, u.Link) }) {
		n.ours(attrs, nil)
		return
	}
	delete(n.other, attrs.Index) // under the name that it may have had before
	if at < 0 {                  // in the kernel's order, whichever driver was the first
		at, _ = slices.BinarySearchFunc(n.links, attrs.Index, func(l *link, index int) int { return l.index - index })
		n.links = slices.Insert(n.links, at, &link{index: attrs.Index})
	}
	l := n.links[at]
	l.update(u)
	if !l.up && !l.raised && n.needed(l) {
		n.raise(l)
	}
	n.carrier(l)
}

// ours passes over a link that no line is for. What could not be made of it
// ends the work.
func (n *Network) ours(attrs *netlink.LinkAttrs, err error) {
	if err != nil {
		n.fail(fmt.Errorf("network: %w", err))
	}
	if attrs.Name != "lo" {
		n.other[attrs.Index] = attrs.Name
	}
}

// raise sets a link up; what cannot be now may be later.
func (n *Network) raise(l *link) {
	l.raised = true
	link := l.Link
	n.tasks.queue(l.index, l.name, func() {
		err := contain.Call("", func() error { return raise(n.ctx, n.cfg.SysClassNet, link) })
		if err == nil {
			return
		}
		n.later(func() {
			if text := fmt.Sprintf("set link up %s: %v", l.name, err); text != l.trouble {
				l.trouble = text
				n.warn(text)
			}
		})
		n.after(again, func() {
			if !l.up && slices.Contains(n.links, l) && n.needed(l) {
				n.raise(l)
			}
		})
	}, nil)
}

// flush takes a link's addresses away.
func (n *Network) flush(l *link) {
	link := l.Link
	l.given = false
	n.tasks.queue(l.index, l.name, func() { flush(link) }, nil)
}

// release leaves a link as it was found if no line has it or wants it any more.
func (n *Network) release(l *link) {
	for _, ln := range n.lines {
		if ln.has(l) || ln.open() && n.ctx.Err() == nil && n.wants(ln, l.Link) {
			return
		}
	}
	if l.raised {
		l.raised = false
		l.unsettle()
		link := l.Link
		n.tasks.queue(l.index, l.name, func() { lower(link) }, n.broken)
	}
}
