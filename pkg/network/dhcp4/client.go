package dhcp4

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/contain"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

// RootPathWindow is how long an offer without a root path waits for one with it, if a root path is
// preferred: another server may be a little slower.
const RootPathWindow = time.Second

// requestTries is how often a request is sent before the offer is dropped: 1 + 2 + 4 + 8 seconds.
const requestTries = 4

// Config configures an exchange.
type Config struct {
	Interface string
	MAC       []byte // of Ethernet, 6 bytes
	// ClientID is option 61; nil: dhcp.ClientID, and where no server answers to it
	// dhcp.HardwareID alternating with it. The lease has the one that was used.
	ClientID []byte
	HostName string // for the server's records; may be empty
	// VendorClass is option 60; may be empty.
	VendorClass string
	// WantRootPath prefers an offer with a root path: see RootPathWindow.
	WantRootPath bool
	// Report is called with progress and with messages that were ignored; may be nil. It must
	// not block.
	Report func(string)
	// SinceBoot is the clock of Lease.Obtained; required for what returns a lease.
	SinceBoot func() time.Duration
}

// Conn sends to and receives from the servers on one interface.
type Conn interface {
	// Send sends a message to the servers.
	Send(message []byte) error
	// Receive returns the next message; os.ErrDeadlineExceeded after the deadline. Close ends
	// it.
	Receive(deadline time.Time) ([]byte, error)
	Close() error
}

// ErrRefused reports that the server refused to extend a lease: the address must not be used any
// more.
var ErrRefused = errors.New("the DHCP server refused the address")

var (
	errOtherClient = errors.New("an answer to another client")
	errRestart     = errors.New("begin again")
)

// client is one exchange and its state.
type client struct {
	exchange
	conn        Conn
	begun       time.Time
	sent        int
	lastIgnored string
}

func newClient(conn Conn, cfg Config) (*client, error) {
	if len(cfg.MAC) != 6 {
		return nil, fmt.Errorf("DHCP on %s: a hardware address of %d bytes, want Ethernet's 6", cfg.Interface, len(cfg.MAC))
	}
	if n := len(cfg.ClientID); cfg.ClientID != nil && (n < 2 || n > 255) { // RFC 2132 section 9.14
		return nil, fmt.Errorf("DHCP on %s: a client identifier of %d bytes, want 2 to 255", cfg.Interface, n)
	}
	c := &client{exchange: exchange{cfg: cfg, ids: identities(cfg)}, conn: conn, begun: time.Now()}
	c.newTransactions()
	return c, nil
}

// Acquire gets a lease: it discovers servers, selects the first usable offer and requests it (RFC
// 2131 section 4.4.1, without the wait before the first message, which clients commonly omit). It
// starts over when the server refuses its own offer, and continues until ctx ends, when it returns
// a *dhcp.NoLeaseError. It closes conn.
func Acquire(ctx context.Context, conn Conn, cfg Config) (dhcp.Lease, error) {
	defer conn.Close()
	c, err := newClient(conn, cfg)
	if err != nil {
		return dhcp.Lease{}, err
	}
	defer context.AfterFunc(ctx, contain.Func("the end of DHCP", func() { conn.Close() }, nil))()
	for restarts := 0; ; restarts++ {
		l, err := c.acquire(ctx, restarts)
		if err == nil {
			return l, nil
		}
		if !errors.Is(err, errRestart) {
			return dhcp.Lease{}, c.fail(ctx, err)
		}
		c.newTransactions()
	}
}

// acquire makes one attempt. From the second restart on it waits first: the first restart follows a
// refused offer, more follow from a faulty server.
func (c *client) acquire(ctx context.Context, restarts int) (dhcp.Lease, error) {
	if restarts > 1 {
		pause := time.Now().Add(dhcp.Backoff(restarts-2, rand.Float64()))
		if err := c.receive(ctx, pause, func(reply) bool { return false }); !errors.Is(err, os.ErrDeadlineExceeded) {
			return dhcp.Lease{}, err
		}
	}
	offer, err := c.discover(ctx)
	if err != nil {
		return dhcp.Lease{}, err
	}
	c.settle(offer)
	return c.request(ctx, offer)
}

func (c *client) fail(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		err = ctx.Err() // what closed the socket
	}
	return &dhcp.NoLeaseError{Protocol: "DHCP", Interface: c.cfg.Interface, Sent: c.sent, Elapsed: time.Since(c.begun), LastIgnored: c.lastIgnored, Err: err}
}

// report calls Config.Report.
func (c *client) report(format string, args ...any) {
	if c.cfg.Report != nil {
		c.cfg.Report(c.cfg.Interface + ": " + fmt.Sprintf(format, args...))
	}
}

// unusable records and reports what was not usable, once for each cause.
func (c *client) unusable(what string, from netip.Addr, err error) {
	if from.IsValid() {
		what += " from " + from.String()
	}
	if s := fmt.Sprintf("%s ignored: %v", what, err); s != c.lastIgnored {
		c.lastIgnored = s
		c.report("%s", s)
	}
}

// send sends a message. If the link is down or a queue is full, that is like a lost message.
func (c *client) send(m *dhcpv4.DHCPv4) error {
	c.sent++
	err := c.conn.Send(m.ToBytes())
	for _, passing := range []error{unix.ENETDOWN, unix.ENOBUFS, unix.ENETUNREACH, unix.EHOSTUNREACH, unix.EAGAIN} {
		if errors.Is(err, passing) {
			c.unusable("send", netip.Addr{}, err)
			return nil
		}
	}
	return err
}

// receive passes answers to take until it returns true, or the deadline.
func (c *client) receive(ctx context.Context, deadline time.Time, take func(reply) bool) error {
	for {
		b, err := c.conn.Receive(deadline)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return err
		}
		r, err := c.parse(b)
		switch {
		case errors.Is(err, errOtherClient):
		case err != nil:
			c.unusable("answer", netip.Addr{}, err)
		case take(r):
			return nil
		}
	}
}

// elapsed is option secs of the header.
func (c *client) elapsed() int { return int(time.Since(c.begun) / time.Second) }

// discover returns the first usable offer, or a better one.
func (c *client) discover(ctx context.Context) (dhcp.Lease, error) {
	var best dhcp.Lease
	take := func(r reply) bool {
		if r.typ != dhcpv4.MessageTypeOffer {
			return false
		}
		l, err := r.lease(&c.exchange)
		if err != nil {
			c.unusable("offer", r.server, err)
			return false
		}
		if !best.Address.IsValid() || best.RootPath == "" && l.RootPath != "" {
			best = l
		}
		return true
	}
	for n := 0; ; n++ {
		c.turn(n)
		if err := c.send(c.message(dhcpv4.MessageTypeDiscover, c.elapsed())); err != nil {
			return best, err
		}
		if n > 0 {
			c.report("waiting for a DHCP server, request %d%s", c.sent, c.with())
		}
		err := c.receive(ctx, time.Now().Add(dhcp.Backoff(n, rand.Float64())), take)
		window := time.Now().Add(RootPathWindow)
		for err == nil && c.cfg.WantRootPath && best.RootPath == "" {
			err = c.receive(ctx, window, take)
		}
		switch {
		case best.Address.IsValid() && (err == nil || errors.Is(err, os.ErrDeadlineExceeded)):
			return best, nil
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return best, err
		}
	}
}

// request requests what the server offered. It returns errRestart if the server refuses or does not
// answer.
func (c *client) request(ctx context.Context, offer dhcp.Lease) (dhcp.Lease, error) {
	for n := range requestTries {
		m := c.message(dhcpv4.MessageTypeRequest, c.elapsed())
		m.Options[optRequested] = offer.Address.Addr().AsSlice()
		m.Options[optServer] = offer.Server.AsSlice()
		l, err := c.ask(ctx, m, n, offer.Server)
		switch {
		case err == nil:
			return l, nil
		case errors.Is(err, ErrRefused):
			return l, errRestart
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return l, err
		}
	}
	c.unusable("offer", offer.Server, errors.New("the server does not answer the request"))
	return dhcp.Lease{}, errRestart
}

// ask sends a request for the n-th time and waits for its answer from a server, or from any if the
// server is not valid.
func (c *client) ask(ctx context.Context, m *dhcpv4.DHCPv4, n int, server netip.Addr) (l dhcp.Lease, err error) {
	obtained := c.cfg.SinceBoot()
	if err := c.send(m); err != nil {
		return l, err
	}
	var refused error
	err = c.receive(ctx, time.Now().Add(dhcp.Backoff(n, rand.Float64())), func(r reply) bool {
		if server.IsValid() && r.server != server {
			return false
		}
		switch r.typ {
		case dhcpv4.MessageTypeNak:
			refused = ErrRefused
			why, _ := dhcp.Text(r.Options[optMessage], 255)
			c.unusable("offer", r.server, fmt.Errorf("the server refuses it: %q", why))
			return true
		case dhcpv4.MessageTypeAck:
			var lerr error
			if l, lerr = r.lease(&c.exchange); lerr == nil {
				return true
			}
			c.unusable("acknowledgement", r.server, lerr)
		}
		return false
	})
	l.Obtained = obtained
	return l, errors.Join(err, refused)
}

// extend requests, until ctx ends, more time for an address in use (RFC 2131 section 4.4.5): the
// address is in ciaddr, and options 50 and 54 are absent. It closes conn.
func extend(ctx context.Context, conn Conn, cfg Config, l dhcp.Lease, server netip.Addr) (dhcp.Lease, error) {
	defer conn.Close()
	if cfg.ClientID == nil {
		cfg.ClientID = slices.Clone(l.ClientID)
	}
	c, err := newClient(conn, cfg)
	if err != nil {
		return dhcp.Lease{}, err
	}
	defer context.AfterFunc(ctx, contain.Func("the end of DHCP", func() { conn.Close() }, nil))()
	for n := 0; ; n++ {
		m := c.message(dhcpv4.MessageTypeRequest, c.elapsed())
		m.ClientIPAddr = net.IP(l.Address.Addr().AsSlice())
		next, err := c.ask(ctx, m, n, server)
		switch {
		case err == nil && next.Address.Addr() != l.Address.Addr():
			return dhcp.Lease{}, fmt.Errorf("extend the lease of %s on %s: the server gives %s instead", l.Address.Addr(), cfg.Interface, next.Address.Addr())
		case err == nil:
			return next, nil
		case errors.Is(err, ErrRefused):
			return dhcp.Lease{}, fmt.Errorf("extend the lease of %s on %s: %w", l.Address.Addr(), cfg.Interface, ErrRefused)
		case !errors.Is(err, os.ErrDeadlineExceeded) || ctx.Err() != nil:
			return dhcp.Lease{}, c.fail(ctx, err)
		}
	}
}
