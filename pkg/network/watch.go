package network

import (
	"fmt"

	"github.com/iscsiroot/iscsiroot/pkg/network/rtwatch"
)

// watchBuffer is the socket's receive buffer. Hundreds of links can appear while the loop handles
// one.
const watchBuffer = 1 << 20

// watchLinks subscribes to links, starting with those that exist, and to addresses.
func watchLinks() (*rtwatch.Watch, error) {
	w, err := rtwatch.Open(rtwatch.Config{Links: true, Buffer: watchBuffer})
	if err != nil {
		return nil, fmt.Errorf("subscribe links: %w", err)
	}
	return w, nil
}

// update handles a message of the kernel. After messages were lost the state of all links is sent
// again.
func (n *Network) update(u rtwatch.Update) {
	switch {
	case u.Link != nil:
		n.onLink(*u.Link)
	case u.Address != nil:
		n.onAddress(*u.Address)
	case u.Err != nil:
		n.warn(u.Err.Error())
	}
}
