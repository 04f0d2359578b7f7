package session

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/contain"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
)

// Reopen returns a session that another process, or an earlier one, has made and logged in. Nothing
// is asked of the kernel.
func Reopen(t *kernel.Transport, st State) *Session {
	s := &Session{
		Record:   st.Record,
		kernel:   t.Adopt(st.SID, st.HostNo),
		resolver: net.DefaultResolver,
		group:    st.Group,
		chap:     st.CHAP,
		offer:    iscsi.DefaultOffer(),
		times:    defaultTimes,
		timers:   st.Timers,
		pings:    st.Timers.pings(),
		told:     st.Timers.pings(),
		due:      st.Due,
		fresh:    st.Fresh,
	}
	s.offer.HeaderDigest, s.offer.DataDigest = st.HeaderDigest, st.DataDigest
	return s
}

// Connection is a TCP connection to one of a target's portals.
type Connection struct {
	conn *net.TCPConn
	path path
}

// Close closes the connection; nobody logs in by it.
func (c *Connection) Close() error { return c.conn.Close() }

// Connect connects to the first of the known portals that answers, by one of the ways; none: as the
// kernel chooses, which is also the zero Way and then begins. Names are not looked up: their server
// may be behind the very network that is away. The error is that of the first path. Calls may
// overlap.
func (s *Session) Connect(ctx context.Context, ways ...Way) (*Connection, error) {
	known := s.Known()
	if len(known) == 0 {
		return nil, errNoPortal
	}
	paths := paths(ways, known)
	if len(paths) == 0 {
		return nil, errNoWay
	}
	conn, winner, lost := s.race(ctx, paths)
	if conn == nil {
		return nil, lost[0]
	}
	return &Connection{conn, paths[winner]}, nil
}

// errNoPortal says that no name of a portal was ever found.
var errNoPortal = errors.New("no address of the target is known")

// errNoWay says that all ways are of the other family than the portals.
var errNoWay = errors.New("no source address of the address family of a portal")

// Known returns the portals in the order in which they are tried.
func (s *Session) Known() []netip.AddrPort {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.Portals)
}

// Relogin gives the session's connection up, whatever its state, and logs in by another one, which
// it takes over. The kernel needs the first even where it has cleaned up by itself.
func (s *Session) Relogin(ctx context.Context, c *Connection) error {
	s.mu.Lock()
	s.attempts++
	s.again = s.fresh == nil
	s.mu.Unlock()
	failed := &LoginError{Initiator: s.Initiator, Target: s.Target, Attempt: s.attempts}
	if s.again || s.kernel.Bound() || s.At().IsValid() {
		if err := s.stop(ctx); err != nil {
			_ = c.Close()
			failed.Tries = []Try{{Portal: c.path.addr.String(), Err: err}}
			return failed
		}
	}
	_, try := s.follow(ctx, c.conn, c.path, s.othersRemain(c.path))
	if try != nil {
		s.last(c.path)
		failed.Tries = []Try{*try}
		return failed
	}
	s.round = nil
	_ = s.Hold() // what fails stays due, for the next login
	if s.unscanned() {
		s.begin()
	}
	return nil
}

// othersRemain notes that p's portal is tried, and tells whether there is one that was not tried
// since the last login that succeeded. In a round each portal is tried once: one whose turn comes
// again before another one's is the only one that takes connections, which ends the round as well.
func (s *Session) othersRemain(p path) bool {
	if !slices.ContainsFunc(s.round, p.samePortal) {
		s.round = append(s.round, p)
		for _, addr := range s.Known() {
			if !slices.ContainsFunc(s.round, path{addr: addr}.samePortal) {
				return true
			}
		}
	}
	s.round = nil
	return false
}

// last makes a portal the last one to try: one that takes connections and lets nobody log in must
// not keep us from the others.
func (s *Session) last(p path) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.Portals, p.addr)
	if i < 0 {
		i = slices.IndexFunc(s.Portals, func(addr netip.AddrPort) bool { return p.samePortal(path{addr: addr}) })
	}
	if i >= 0 {
		addr := s.Portals[i]
		s.Portals = append(slices.Delete(slices.Clone(s.Portals), i, i+1), addr)
	}
}

// begin has the kernel look for the session's disks, in a goroutine of its own, because that waits
// for the target, which may be away again. After a session that was lost meanwhile the next login
// does it once more. The goroutine ends with the kernel's scan.
func (s *Session) begin() {
	s.mu.Lock()
	lun, login := *s.fresh, s.attempts
	s.mu.Unlock()
	contain.Go("scan of "+s.kernel.String(), func() {
		known, err := blockdev.LUNs("/sys", s.SID) // by a scan that was cut short
		if err == nil {
			err = s.scanFresh(lun)
		}
		for _, u := range known {
			if err == nil && u.Disk != "" {
				err = blockdev.ProbeAgain("/sys", "/dev", u.Disk)
			}
		}
		up, uerr := s.Up()
		s.mu.Lock()
		defer s.mu.Unlock()
		if err == nil && uerr == nil && up && s.attempts == login {
			s.fresh = nil
		}
	}, nil)
}

// scanFresh scans for a LUN. All are scanned only where LUN 0 is no disk, as at the boot: udev
// would activate what is on the others.
func (s *Session) scanFresh(lun uint64) error {
	if lun != kernel.ScanAll {
		return s.Scan(lun)
	}
	if err := s.Scan(0); err != nil {
		return err
	}
	luns, err := blockdev.LUNs("/sys", s.SID)
	if err != nil || slices.ContainsFunc(luns, blockdev.LUN.IsDisk) {
		return err
	}
	return s.Scan(lun)
}

// Unscanned says that the kernel has not looked for the session's disks to the end, and for which
// LUN it is to look; that follows the next login.
func (s *Session) Unscanned(lun uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fresh = &lun
}

// ScanIfDue has the kernel look for the disks of a session that is up and was not scanned to the
// end.
func (s *Session) ScanIfDue() {
	if up, err := s.Up(); err == nil && up && s.unscanned() {
		s.begin()
	}
}

func (s *Session) unscanned() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fresh != nil
}

// Logout ends the connection as the target has asked, and returns its Time2Wait. The kernel holds
// commands back until the next login.
func (s *Session) Logout(ctx context.Context) (time.Duration, error) {
	pipe := s.kernel.Pipe()
	defer pipe.Close()
	resp, err := iscsi.Logout(ctx, pipe, iscsi.LogoutRequest{Immediate: true, Reason: iscsi.LogoutSession})
	return time.Duration(resp.Time2Wait) * time.Second, err
}

// Up reads from the kernel whether commands flow. os.ErrNotExist: there is no such session any
// more.
func (s *Session) Up() (bool, error) {
	state, err := s.kernel.State()
	if err != nil {
		return false, err
	}
	conn, err := s.kernel.ConnState()
	return state == "LOGGED_IN" && conn == "up", err
}
