package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
)

var errEnded = errors.New("ended by itself")

// Server is a [Process] or a [Machine] that will accept connections.
type Server interface {
	// Done is closed when it has ended.
	Done() <-chan struct{}
	// Log is what it has printed so far.
	Log() string
}

// WaitAccept waits until each address accepts a TCP connection inside the namespace, or s ends, or
// ctx does.
func (ns *Namespace) WaitAccept(ctx context.Context, s Server, addrs ...netip.AddrPort) error {
	for _, addr := range addrs {
		if err := ns.waitAccept(ctx, s, addr); err != nil {
			return err
		}
	}
	return nil
}

func (ns *Namespace) waitAccept(ctx context.Context, s Server, addr netip.AddrPort) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ns.dial(addr)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-s.Done():
			return fmt.Errorf("%w; it printed:\n%s", errEnded, lastLines(s.Log(), tailLines))
		case <-ctx.Done():
			return fmt.Errorf("%w (%w)", ctx.Err(), err)
		}
	}
}

func (ns *Namespace) dial(addr netip.AddrPort) error {
	return ns.Do(func() error {
		conn, err := net.DialTimeout("tcp", addr.String(), time.Second)
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

// tailLines is how many lines of a console or a log go into an error.
const tailLines = 40

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
