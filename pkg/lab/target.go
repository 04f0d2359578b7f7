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

// Target is a running iSCSI target.
type Target interface {
	// Name is the target's iSCSI name.
	Name() string
	// Addr is the first portal.
	Addr() netip.AddrPort
	// Log is what the target has printed so far.
	Log() string
	// Stop ends the target at once, as a power cut would; its connections are reset. The same configuration can be
	// started again on the same portal.
	Stop() error
}

// waitPortal waits until addr accepts a TCP connection inside the namespace, or p ends, or ctx does.
func (ns *Namespace) waitPortal(ctx context.Context, addr netip.AddrPort, p *Process) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ns.dial(addr)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-p.Done():
			return fmt.Errorf("%w; it printed:\n%s", errEnded, lastLines(p.Log(), tailLines))
		case <-ctx.Done():
			return fmt.Errorf("%w (%w)", ctx.Err(), err)
		}
	}
}

// waitPortals is waitPortal for several.
func (ns *Namespace) waitPortals(ctx context.Context, addrs []netip.AddrPort, p *Process) error {
	for _, addr := range addrs {
		if err := ns.waitPortal(ctx, addr, p); err != nil {
			return err
		}
	}
	return nil
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
