package session

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
)

// Reopen returns a session that another process has made and logged in. Nothing is sent to the
// kernel.
func Reopen(t *kernel.Transport, st State) *Session {
	adopt := t.Adopt
	if st.Portal.IsValid() { // it was logged in
		adopt = t.AdoptBound
	}
	s := &Session{
		Record:        st.Record,
		kernel:        adopt(st.SID, st.HostNo),
		resolver:      net.DefaultResolver,
		group:         st.Group,
		chap:          st.CHAP,
		offer:         iscsi.DefaultOffer(),
		times:         defaultTimes,
		timers:        st.Timers,
		nic:           st.NIC,
		pings:         st.Timers.pings(),
		kernelPings:   st.Timers.pings(),
		due:           st.Due,
		unscannedLUNs: st.UnscannedLUNs,
		formerSID:     st.FormerSID,
	}
	s.offer.HeaderDigest, s.offer.DataDigest = st.HeaderDigest, st.DataDigest
	return s
}

// Connection is a TCP connection to one of a target's portals.
type Connection struct {
	conn *net.TCPConn
	path path
}

// Close closes the connection without a login.
func (c *Connection) Close() error { return c.conn.Close() }

// Connect connects to the first of the known portals that answers, by one of the ways; without ways
// the kernel chooses, which the zero Way, tried first, also means. Names are not looked up: the
// name server may be behind the network that is down. The error is that of the first path. Calls
// may overlap.
func (s *Session) Connect(ctx context.Context, ways ...Way) (*Connection, error) {
	known := s.KnownPortals()
	if len(known) == 0 {
		return nil, errNoPortal
	}
	ways, err := s.allowed(ways)
	if err != nil {
		return nil, err
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

// errNoPortal: no portal's name was resolved.
var errNoPortal = errors.New("no address of the target is known")

// errNoWay: all ways are of the other address family than the portals.
var errNoWay = errors.New("no source address of the address family of a portal")

// KnownPortals returns the portals in the order in which they are tried.
func (s *Session) KnownPortals() []netip.AddrPort {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.Portals)
}

// Relogin stops the session's connection in any state, and logs in over c, which it closes. The
// kernel requires the stop even after it has detected the end of the connection.
func (s *Session) Relogin(ctx context.Context, c *Connection) error {
	s.mu.Lock()
	s.attempts++
	s.relogin = len(s.unscannedLUNs) == 0 || s.Portal.IsValid()
	s.scans.probed = false
	s.mu.Unlock()
	failed := &LoginError{Initiator: s.Initiator, Target: s.Target, Attempt: s.attempts}
	if s.relogin || s.kernel.Bound() || s.At().IsValid() {
		if err := s.stop(ctx); err != nil {
			_ = c.Close()
			failed.Portals = []PortalError{{Portal: c.path.addr.String(), Err: err}}
			return failed
		}
	}
	s.endFormer(ctx, c.path)
	_, try := s.follow(ctx, c.conn, c.path, s.othersRemain(c.path))
	if try != nil {
		s.moveToEnd(c.path)
		failed.Portals = []PortalError{*try}
		return failed
	}
	s.round = nil
	s.mu.Lock()
	s.formerSID = 0
	s.mu.Unlock()
	_ = s.ApplyRecovery() // after an error the next login does it
	s.scanAfterLogin()
	return nil
}

// endFormer ends the session in whose place this one was made, which the target may have still,
// with writes that it has not done yet: they must not be done after those of this session. A login
// with its ISID ends it and its tasks (RFC 7143 6.3.5), and a logout the login. After an error this
// session's login shows what is wrong.
func (s *Session) endFormer(ctx context.Context, p path) {
	s.mu.Lock()
	former := s.formerSID
	s.mu.Unlock()
	if former == 0 {
		return
	}
	if one, err := s.probe(ctx, nil, p, isidOf(former)); err == nil {
		s.logoutAll(ctx, []*probe{one})
	}
}

// othersRemain records that p's portal is tried, and reports whether there is one that was not
// tried since the last successful login. In a round each portal is tried once: one that comes a
// second time before another one is the only one that accepts connections, which ends the round as
// well.
func (s *Session) othersRemain(p path) bool {
	if !slices.ContainsFunc(s.round, p.samePortal) {
		s.round = append(s.round, p)
		for _, addr := range s.KnownPortals() {
			if !slices.ContainsFunc(s.round, path{addr: addr}.samePortal) {
				return true
			}
		}
	}
	s.round = nil
	return false
}

// moveToEnd makes a portal the last one to try: one that accepts connections and fails all logins
// must not prevent a login at the others.
func (s *Session) moveToEnd(p path) {
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

// Logout ends the connection when the target has requested it, and returns its Time2Wait. The
// kernel queues commands until the next login.
func (s *Session) Logout(ctx context.Context) (time.Duration, error) {
	pipe := s.kernel.Pipe()
	defer pipe.Close()
	resp, err := iscsi.Logout(ctx, pipe, iscsi.LogoutRequest{Immediate: true, Reason: iscsi.LogoutSession})
	return time.Duration(resp.Time2Wait) * time.Second, err
}

// Up reads from the kernel whether the session is logged in and its connection is up.
// os.ErrNotExist: there is no such session any more.
func (s *Session) Up() (bool, error) {
	state, err := s.kernel.State()
	if err != nil {
		return false, err
	}
	conn, err := s.kernel.ConnState()
	return state == "LOGGED_IN" && conn == "up", err
}
