package session

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
)

// Record is a session's state as a value: what a later reconnect needs to know, but for the
// secrets.
type Record struct {
	SID       uint32 // the kernel's session id
	HostNo    uint32 // the kernel's SCSI host
	ISID      [6]byte
	Initiator string
	Target    string
	// Portals are all addresses of the target that are known, in the order in which a login
	// tries them: no name has to be looked up for it.
	Portals []netip.AddrPort
	Portal  netip.AddrPort // where the last login went
	Way     Way            // how its connection leaves this machine, see Via
	Params  iscsi.Params   // as negotiated by the last login
	TSIH    uint16
	TPGT    uint16
}

// Resolver finds the addresses of a host; *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Config is what a session is to be.
type Config struct {
	Initiator string
	Target    bootspec.Target
	Login     bootspec.Login
	Resolver  Resolver // for portals that are names; nil: net.DefaultResolver
	// Ways tells by what other ways than the kernel's choice a portal may be reached; nil: by
	// none. It is called at each login, by its goroutine.
	Ways func(netip.Addr) []Way
}

// Session is one target's session.
type Session struct {
	Record
	kernel   *kernel.Session
	config   Config
	resolver Resolver
	portals  []bootspec.Portal
	group    *uint16     // TPGT to expect
	chap     *iscsi.CHAP // nil: none
	offer    iscsi.Offer
	times    times
	timers   Timers  // as they were asked for; mu guards Recovery
	fresh    *uint64 // see State.Fresh

	mu       sync.Mutex             // guards Portals, Portal, Way, Params, TSIH, TPGT, offer, pings, told, due, fresh and attempts: a login or a scan may overlap their readers
	moved    []netip.AddrPort       // where a target that moved for good is now
	pings    pings                  // as the next login tells the kernel
	told     pings                  // as the kernel has them
	due      bool                   // see State.Due
	attempts int                    // logins so far
	again    bool                   // they are re-logins
	silent   map[netip.AddrPort]int // by portal, how often the patience with it was doubled
	refusals int                    // the last logins that the target, or we, turned down
	round    []path                 // re-logins that failed, see othersRemain; of the login's goroutine
}

// times are how long things may take.
type times struct {
	dial     time.Duration // TCP connection
	stagger  time.Duration // until the next address is tried beside the first
	response time.Duration // one Login Response, at the most
	// first and firstAgain are that at the first login and re-login, doubled at each that gets
	// no answer
	first, firstAgain time.Duration
	// firstOfMany is the most of it where another portal is left
	firstOfMany time.Duration
	login       time.Duration // all PDUs of a login
	stop        time.Duration // giving a connection up
	lookup      time.Duration // the addresses of a name
	probe       time.Duration // one login, or ping, of Duplicate
	leave       time.Duration // its logouts
}

var defaultTimes = times{
	dial:        5 * time.Second,
	stagger:     250 * time.Millisecond,
	response:    15 * time.Second,
	first:       5 * time.Second,
	firstAgain:  2 * time.Second,
	firstOfMany: 3 * time.Second,
	login:       45 * time.Second,
	stop:        10 * time.Second,
	lookup:      10 * time.Second,
	probe:       5 * time.Second,
	leave:       time.Second,
}

// Reserve makes a session in the kernel without connecting. The order of the reservations decides
// the ISIDs.
func Reserve(ctx context.Context, t *kernel.Transport) (*kernel.Session, error) {
	return t.CreateSession(ctx, kernel.Limits{}, 1)
}

// New says whose session k is.
func New(k *kernel.Session, c Config) *Session {
	s := &Session{
		kernel:   k,
		config:   c,
		resolver: c.Resolver,
		chap:     c.Target.CHAP.Config(c.Login.CHAPAlgorithms()),
		offer:    iscsi.DefaultOffer(),
		times:    defaultTimes,
		timers:   timersOf(c.Login.Timers),
		Record: Record{
			SID:       k.SID,
			HostNo:    k.HostNo,
			ISID:      k.ISID(),
			Initiator: c.Initiator,
			Target:    c.Target.Name.V,
			TPGT:      1,
		},
	}
	s.pings, s.due = s.timers.untilMounted(), true
	s.told = s.pings
	if s.resolver == nil {
		s.resolver = net.DefaultResolver
	}
	for _, p := range c.Target.Portals {
		s.portals = append(s.portals, p.V)
		if addr, ok := p.V.Addr(); ok {
			s.Portals = append(s.Portals, netip.AddrPortFrom(addr, p.V.Port))
		}
	}
	if c.Target.Group.Given() {
		s.group, s.TPGT = &c.Target.Group.V, c.Target.Group.V
	}
	// The kernel can do CRC32C: without it iscsi_tcp makes no connection at all
	// (drivers/scsi/iscsi_tcp.c: iscsi_sw_tcp_conn_create).
	s.offer.HeaderDigest = c.Login.HeaderDigest.Or(iscsi.AcceptDigest)
	s.offer.DataDigest = c.Login.DataDigest.Or(iscsi.AcceptDigest)
	return s
}

// Scan looks for one LUN by the kernel's number of it, or for all (kernel.ScanAll).
func (s *Session) Scan(lun uint64) error { return s.kernel.Scan(lun) }

// Flush returns when every event of the kernel's so far has been passed on.
func (s *Session) Flush(ctx context.Context) error { return s.kernel.Flush(ctx) }

// At is where the last login went; not valid: there was none.
func (s *Session) At() netip.AddrPort {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Portal
}

// Stops is how many of the session's connections were given up: kernel.Event.
func (s *Session) Stops() uint32 { return s.kernel.Stops() }
