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

// Record is a session's state as a value: what a later reconnect needs, except the secrets.
type Record struct {
	SID       uint32 // the kernel's session id
	HostNo    uint32 // the kernel's SCSI host
	ISID      [6]byte
	Initiator string
	Target    string
	// Portals are all known addresses of the target, in the order in which a login tries them,
	// so that no name has to be looked up.
	Portals []netip.AddrPort
	Portal  netip.AddrPort // of the last login
	Way     Way            // how its connection leaves this machine, see Via
	Params  iscsi.Params   // as negotiated by the last login
	TSIH    uint16
	TPGT    uint16
}

// Resolver finds the addresses of a host; *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Config configures a session.
type Config struct {
	Initiator string
	Target    bootspec.Target
	Login     bootspec.Login
	Resolver  Resolver // for portals that are names; nil: net.DefaultResolver
	// Ways returns by which ways, other than the kernel's choice, a portal may be reached; nil:
	// none. It is called at each login, in its goroutine.
	Ways func(netip.Addr) []Way
}

// Session is one target's session.
type Session struct {
	Record
	kernel        *kernel.Session
	config        Config
	resolver      Resolver
	portals       []bootspec.Portal
	group         *uint16     // TPGT to expect
	chap          *iscsi.CHAP // nil: none
	offer         iscsi.Offer
	times         times
	timers        Timers   // as configured; mu guards it
	asDisk        Timers   // timers before UseAsPath; mu guards it
	nic           string   // see State.NIC
	unscannedLUNs []uint64 // see State.UnscannedLUNs; it is replaced as a whole
	formerSID     uint32   // see State.FormerSID

	mu           sync.Mutex             // guards Portals, Portal, Way, Params, TSIH, TPGT, offer, timers, pings, told, due, unscannedLUNs, scans, formerSID and attempts: a login or a scan may overlap their readers
	redirectedTo []netip.AddrPort       // portals of a permanent redirect
	pings        pings                  // for the next login
	kernelPings  pings                  // those in the kernel
	due          bool                   // see State.Due
	attempts     int                    // logins so far
	relogin      bool                   // they are re-logins
	unanswered   map[netip.AddrPort]int // by portal, how often its response time-out was doubled
	refusals     int                    // consecutive logins that were refused
	scans        scans                  // for the LUNs of unscannedLUNs
	round        []path                 // re-logins that failed, see othersRemain; of the login's goroutine
}

// times are the time-outs.
type times struct {
	dial     time.Duration // TCP connection
	stagger  time.Duration // until the next address is tried in parallel
	response time.Duration // one Login Response, at the most
	// first and firstRelogin are that at the first login and re-login, doubled at each that
	// gets no response
	first, firstRelogin time.Duration
	// firstOfMany is the most of it where another portal is left
	firstOfMany time.Duration
	login       time.Duration // all PDUs of a login
	stop        time.Duration // stopping a connection
	lookup      time.Duration // the addresses of a name
	probe       time.Duration // one login, or ping, of Duplicate
	leave       time.Duration // its logouts
	// scan and maxScan bound the pause between two scans for the same LUNs: it is doubled after
	// each scan
	scan, maxScan time.Duration
}

var defaultTimes = times{
	dial:         5 * time.Second,
	stagger:      250 * time.Millisecond,
	response:     15 * time.Second,
	first:        5 * time.Second,
	firstRelogin: 2 * time.Second,
	firstOfMany:  3 * time.Second,
	login:        45 * time.Second,
	stop:         10 * time.Second,
	lookup:       10 * time.Second,
	probe:        5 * time.Second,
	leave:        time.Second,
	scan:         5 * time.Second,
	maxScan:      time.Minute,
}

// Reserve makes a session in the kernel without connecting. The order of the reservations decides
// the ISIDs.
func Reserve(ctx context.Context, t *kernel.Transport) (*kernel.Session, error) {
	return t.CreateSession(ctx, kernel.Limits{}, 1)
}

// New returns the session of a configuration in the kernel's session k.
func New(k *kernel.Session, c Config) *Session {
	s := &Session{
		kernel:   k,
		config:   c,
		resolver: c.Resolver,
		chap:     c.Target.CHAP.Config(c.Login.CHAPAlgorithms()),
		offer:    iscsi.DefaultOffer(),
		times:    defaultTimes,
		timers:   timersOf(c.Login.Timers, c.Target.Multipath.V),
		nic:      c.Target.NIC.V.String(),
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
	s.kernelPings = s.pings
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
	// The kernel supports CRC32C: without it iscsi_tcp makes no connection
	// (drivers/scsi/iscsi_tcp.c: iscsi_sw_tcp_conn_create).
	s.offer.HeaderDigest = c.Login.HeaderDigest.Or(iscsi.AcceptDigest)
	s.offer.DataDigest = c.Login.DataDigest.Or(iscsi.AcceptDigest)
	return s
}

// Scan scans for one LUN by the kernel's number of it, or for all (kernel.ScanAll).
func (s *Session) Scan(lun uint64) error { return s.kernel.Scan(lun) }

// Flush returns when all events that the kernel has sent so far were delivered.
func (s *Session) Flush(ctx context.Context) error { return s.kernel.Flush(ctx) }

// At returns the portal of the last login; not valid: there was none.
func (s *Session) At() netip.AddrPort {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Portal
}

// Stops returns how many of the session's connections were stopped; see kernel.Event.
func (s *Session) Stops() uint32 { return s.kernel.Stops() }
