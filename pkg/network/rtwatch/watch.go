package rtwatch

import (
	"errors"
	"fmt"
	"sync"

	"github.com/vishvananda/netlink"

	"github.com/iscsiroot/iscsiroot/pkg/contain"
)

// Config is what is watched, in addition to links and addresses.
type Config struct {
	// Links: the state of all links comes first.
	Links bool
	// Neighbours are watched too.
	Neighbours bool
	// Buffer is the socket's receive buffer in bytes; 0: the system's default.
	Buffer int
}

// Update is one message. One of its fields is set.
type Update struct {
	Link      *netlink.LinkUpdate
	Address   *netlink.AddrUpdate // its addresses, index and NewAddr are set
	Neighbour *netlink.NeighUpdate
	// Lost: the socket's buffer was full and the kernel dropped messages (netlink(7), ENOBUFS).
	// The state of all links follows.
	Lost bool
	// Err is why a message could not be read. More messages follow.
	Err error
}

// Watch is a subscription. Its goroutine ends with Close, or when the socket fails.
type Watch struct {
	updates chan Update
	done    chan struct{} // closed by Close
	ended   chan struct{} // closed by the goroutine, after updates
	close   sync.Once
	socket  *socket
	err     error // why the goroutine ended; valid once updates is closed

	// Of the goroutine alone:
	listing bool // the answer to a request for all links is under way
	lost    bool // messages were dropped, and may be still
}

// Open subscribes in the caller's network namespace. The goroutine that reads ends by Close, which
// waits for it, or when the socket fails.
func Open(cfg Config) (*Watch, error) {
	s, err := open(cfg)
	if err != nil {
		return nil, fmt.Errorf("watch network: %w", err)
	}
	w := &Watch{
		updates: make(chan Update, 16), done: make(chan struct{}), ended: make(chan struct{}), socket: s,
	}
	if cfg.Links {
		if err := w.list(); err != nil {
			_ = s.Close()
			return nil, err
		}
	}
	contain.Go("rtnetlink watch", w.run, nil)
	return w, nil
}

// Updates returns the channel of updates. It is closed when there can be no more.
func (w *Watch) Updates() <-chan Update { return w.updates }

// Err returns why Updates is closed, nil after Close. Call it only then.
func (w *Watch) Err() error { return w.err }

// Close ends the subscription. It returns when its goroutine has ended; what is in Updates by then
// may still be read.
func (w *Watch) Close() {
	w.close.Do(func() {
		close(w.done)
		_ = w.socket.Close()
	})
	<-w.ended
}

// run receives until the socket fails or is closed.
func (w *Watch) run() {
	defer close(w.ended)
	defer close(w.updates)
	defer func() { _ = w.socket.Close() }()
	err := contain.Call("", w.receive)
	select {
	case <-w.done: // err is that the file is closed, in one of the two ways of package os
	default:
		w.err = fmt.Errorf("watch network: %w", err)
	}
}

// receive sends updates until the socket fails. After an overflow the kernel drops all messages,
// including a pending answer, and reports that once, until the queue is empty
// (net/netlink/af_netlink.c: netlink_overrun, netlink_rcv_wake). After that the state of all links
// is requested.
func (w *Watch) receive() error {
	for {
		messages, err := w.socket.receive(w.listing || !w.lost)
		switch {
		case errors.Is(err, errLost):
			w.lost = true
		case errors.Is(err, errEmpty):
			w.lost = false
			w.send(Update{Lost: true})
			if err := w.list(); err != nil {
				return err
			}
		case errors.Is(err, errMessage):
			w.send(Update{Err: fmt.Errorf("watch network: %w", err)})
		case err != nil:
			return err
		}
		for _, m := range messages {
			w.listing = w.listing && !ends(m)
			if u, ok := update(m); ok {
				w.send(u)
			}
		}
	}
}

// list requests the state of all links. The kernel answers one such request of a socket at a time
// (net/netlink/af_netlink.c: __netlink_dump_start, EBUSY).
func (w *Watch) list() error {
	if err := w.socket.list(); err != nil {
		return fmt.Errorf("list links: %w", err)
	}
	w.listing = true
	return nil
}

// send sends an update to the reader, unless Close ends the wait.
func (w *Watch) send(u Update) {
	select {
	case w.updates <- u:
	case <-w.done:
	}
}
