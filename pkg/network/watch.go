package network

import (
	"context"
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
)

// watch is what the kernel tells of links, those that are there first, and of
// addresses. A channel is closed when it can tell no more.
type watch struct {
	links chan netlink.LinkUpdate
	addrs chan netlink.AddrUpdate
	why   chan error // the last error of both
}

// err is why a channel is closed.
func (w *watch) err() error {
	select {
	case err := <-w.why:
		return fmt.Errorf("watch links: %w", err)
	default:
		return errors.New("watch links: the kernel tells no more")
	}
}

func watchLinks(ctx context.Context) (*watch, error) {
	w := &watch{links: make(chan netlink.LinkUpdate, 64), addrs: make(chan netlink.AddrUpdate, 64), why: make(chan error, 1)}
	// Not every error ends it: a subscriber's first request is heard by all
	// others, who take it for a forgery.
	callback := func(err error) {
		select {
		case <-w.why:
		default:
		}
		select {
		case w.why <- err:
		default:
		}
	}
	err := netlink.AddrSubscribeWithOptions(w.addrs, ctx.Done(), netlink.AddrSubscribeOptions{ErrorCallback: callback})
	if err == nil {
		err = netlink.LinkSubscribeWithOptions(w.links, ctx.Done(), netlink.LinkSubscribeOptions{ListExisting: true, ErrorCallback: callback})
	}
	if err != nil {
		return nil, fmt.Errorf("subscribe links: %w", err)
	}
	return w, nil
}
