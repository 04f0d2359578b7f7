package network

import (
	"fmt"

	"github.com/iscsiroot/iscsiroot/pkg/network/rtwatch"
)

// watchBuffer is the socket's receive buffer. A machine may show hundreds of
// links at once, while the loop is busy with one of them.
const watchBuffer = 1 << 20

// watchLinks subscribes to links, those that are there first, and to addresses.
func watchLinks() (*rtwatch.Watch, error) {
	w, err := rtwatch.Open(rtwatch.Config{Links: true, Buffer: watchBuffer})
	if err != nil {
		return nil, fmt.Errorf("subscribe links: %w", err)
	}
	return w, nil
}

// update takes in what the kernel tells. After messages were lost the state of
// all links comes anew.
func (n *Network) update(u rtwatch.Update) {
	switch {
	case u.Link != nil:
		n.saw(*u.Link)
	case u.Address != nil:
		n.sawAddress(*u.Address)
	case u.Err != nil:
		n.warn(u.Err.Error())
	}
}
