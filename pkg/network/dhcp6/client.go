package dhcp6

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/contain"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

// RootPathWindow is for how long an answer without a root path waits for one with it, if a root
// path is preferred.
const RootPathWindow = time.Second

// requestTries is how often a request is sent before the offer is dropped.
const requestTries = 4

// Config configures an exchange.
type Config struct {
	Interface string
	MAC       []byte // of Ethernet, 6 bytes; DUID and IAID are made of it
	DUID      []byte // nil: dhcp.DUID(MAC)
	IAID      uint32 // 0: dhcp.IAID(MAC)
	// WantRootPath prefers an answer with a root path: see RootPathWindow.
	WantRootPath bool
	// Report is called with progress and with messages that were ignored; may be nil. It must
	// not block.
	Report func(string)
	// SinceBoot is the clock of Lease.Obtained; required for what returns a lease.
	SinceBoot func() time.Duration
}

// Conn sends to and receives from the servers on one link.
type Conn interface {
	// Send sends a message to all servers.
	Send(message []byte) error
	// Receive returns the next message and its sender; os.ErrDeadlineExceeded after the
	// deadline. Close ends it.
	Receive(deadline time.Time) ([]byte, netip.Addr, error)
	Close() error
}

var errOtherClient = errors.New("an answer to another client")

// client is one exchange and its state.
type client struct {
	cfg         Config
	conn        Conn
	xid         [3]byte
	begun       time.Time
	sent        int
	lastIgnored string
}

func newClient(conn Conn, cfg Config) (*client, error) {
	if cfg.DUID == nil {
		cfg.DUID = dhcp.DUID(cfg.MAC)
	}
	if cfg.IAID == 0 {
		cfg.IAID = dhcp.IAID(cfg.MAC)
	}
	if n := len(cfg.DUID); n < 3 || n > maxDUID {
		return nil, fmt.Errorf("DHCPv6 on %s: a DUID of %d bytes, want 3 to %d", cfg.Interface, n, maxDUID)
	}
	return &client{cfg: cfg, conn: conn, begun: time.Now()}, nil
}

// Acquire gets an address: it solicits servers, takes the first usable offer instead of waiting for
// all of them, and requests it (RFC 8415 section 18.2). It continues until ctx ends, when it
// returns a *dhcp.NoLeaseError. It closes conn.
func Acquire(ctx context.Context, conn Conn, cfg Config) (dhcp.Lease, error) {
	return run(ctx, conn, cfg, func(c *client) (dhcp.Lease, error) {
		for {
			offer, err := c.exchange(ctx, msgSolicit, c.ia(netip.Addr{}), dhcp.Lease{}, 0)
			if err != nil {
				return offer, err
			}
			l, err := c.exchange(ctx, msgRequest, c.ia(netip.Addr{}), offer, requestTries)
			if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
				return l, err
			}
		}
	})
}

// Inform gets the other configuration for an address from a router advertisement (RFC 8415 section
// 18.2.6).
func Inform(ctx context.Context, conn Conn, cfg Config) (dhcp.Lease, error) {
	return run(ctx, conn, cfg, func(c *client) (dhcp.Lease, error) {
		return c.exchange(ctx, msgInform, nil, dhcp.Lease{}, 0)
	})
}

// run calls f with a new client, and returns the error for the user.
func run(ctx context.Context, conn Conn, cfg Config, f func(*client) (dhcp.Lease, error)) (dhcp.Lease, error) {
	defer conn.Close()
	c, err := newClient(conn, cfg)
	if err != nil {
		return dhcp.Lease{}, err
	}
	defer context.AfterFunc(ctx, contain.Func("the end of DHCP", func() { conn.Close() }, nil))()
	l, err := f(c)
	switch {
	case err == nil:
		return l, nil
	case ctx.Err() != nil:
		err = ctx.Err()
	}
	return dhcp.Lease{}, &dhcp.NoLeaseError{Protocol: "DHCPv6", Interface: cfg.Interface, Sent: c.sent, Elapsed: time.Since(c.begun), LastIgnored: c.lastIgnored, Err: err}
}

func (c *client) newTransaction() {
	n := rand.Uint32()
	c.xid = [3]byte{byte(n >> 16), byte(n >> 8), byte(n)}
}

// ia returns the identity association of this client, with an address if it is valid.
func (c *client) ia(addr netip.Addr) []byte {
	b := binary.BigEndian.AppendUint32(nil, c.cfg.IAID)
	b = append(b, make([]byte, 8)...) // T1 and T2: the server's choice
	if addr.IsValid() {
		b = appendOption(b, optIAAddr, append(addr.AsSlice(), make([]byte, 8)...))
	}
	return b
}

// send builds and sends a message. If the link is down, that is like a lost message.
func (c *client) send(typ byte, ia, serverID []byte, begun time.Time) error {
	b := append([]byte{typ}, c.xid[:]...)
	b = appendOption(b, optClientID, c.cfg.DUID)
	if serverID != nil {
		b = appendOption(b, optServerID, serverID)
	}
	if ia != nil {
		b = appendOption(b, optIANA, ia)
	}
	var codes []byte
	for _, code := range requested() {
		codes = binary.BigEndian.AppendUint16(codes, code)
	}
	b = appendOption(b, optRequests, codes)
	elapsed := min(time.Since(begun)/(10*time.Millisecond), 0xffff)
	b = appendOption(b, optElapsed, binary.BigEndian.AppendUint16(nil, uint16(elapsed)))
	c.sent++
	err := c.conn.Send(b)
	for _, passing := range []error{unix.ENETDOWN, unix.ENETUNREACH, unix.EADDRNOTAVAIL, unix.ENOBUFS, unix.EAGAIN} {
		if errors.Is(err, passing) {
			c.unusable("send", err)
			return nil
		}
	}
	return err
}

// unusable records and reports what was not usable, once for each cause.
func (c *client) unusable(what string, err error) {
	if s := fmt.Sprintf("%s ignored: %v", what, err); s != c.lastIgnored {
		c.lastIgnored = s
		c.report(s)
	}
}

func (c *client) report(text string) {
	if c.cfg.Report != nil {
		c.cfg.Report(c.cfg.Interface + ": " + text)
	}
}

// exchange sends a message until it gets a usable answer; from one server if offer names it. tries
// of 0 mean no limit.
func (c *client) exchange(ctx context.Context, typ byte, ia []byte, offer dhcp.Lease, tries int) (dhcp.Lease, error) {
	c.newTransaction()
	begun := time.Now()
	for n := 0; tries == 0 || n < tries; n++ {
		obtained := c.cfg.SinceBoot()
		if err := c.send(typ, ia, offer.ServerID, begun); err != nil {
			return dhcp.Lease{}, err
		}
		if n > 0 {
			c.report(fmt.Sprintf("waiting for a DHCPv6 server, request %d", c.sent))
		}
		l, err := c.collect(ctx, time.Now().Add(dhcp.Backoff(n, rand.Float64())), typ, offer.ServerID)
		if err == nil {
			l.Obtained = obtained
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return l, err
		}
	}
	return dhcp.Lease{}, os.ErrDeadlineExceeded
}

// collect takes the first usable answer, or a better one that is not much later.
func (c *client) collect(ctx context.Context, deadline time.Time, typ byte, serverID []byte) (dhcp.Lease, error) {
	best, err := c.answer(ctx, deadline, typ, serverID)
	if err != nil || serverID != nil || !c.cfg.WantRootPath {
		return best, err
	}
	window := time.Now().Add(RootPathWindow)
	for best.RootPath == "" {
		other, err := c.answer(ctx, window, typ, serverID)
		if err != nil {
			return best, ctx.Err()
		}
		if other.RootPath != "" {
			best = other
		}
	}
	return best, nil
}

// answer waits for the next usable answer to a message.
func (c *client) answer(ctx context.Context, deadline time.Time, typ byte, serverID []byte) (dhcp.Lease, error) {
	want := byte(msgReply)
	if typ == msgSolicit {
		want = msgAdvertise
	}
	for {
		b, from, err := c.conn.Receive(deadline)
		if ctx.Err() != nil {
			return dhcp.Lease{}, ctx.Err()
		}
		if err != nil {
			return dhcp.Lease{}, err
		}
		r, err := c.parse(b)
		if errors.Is(err, errOtherClient) || err == nil && (r.typ != want || serverID != nil && !slices.Equal(r.serverID, serverID)) {
			continue
		}
		var l dhcp.Lease
		if err == nil {
			l, err = r.lease(c, from, typ != msgInform)
		}
		if err == nil {
			return l, nil
		}
		c.unusable(fmt.Sprintf("answer from %s", from), err)
	}
}
