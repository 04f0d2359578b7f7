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

// Reopen returns a session that another process, or an earlier one, has made
// and logged in. Nothing is asked of the kernel.
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
		fresh:    st.Fresh,
	}
	s.offer.HeaderDigest, s.offer.DataDigest = st.HeaderDigest, st.DataDigest
	return s
}

// Connection is a TCP connection to one of a target's portals.
type Connection struct {
	conn *net.TCPConn
	addr netip.AddrPort
}

// Close closes the connection; nobody logs in by it.
func (c *Connection) Close() error { return c.conn.Close() }

// Connect connects to the first of the known portals that answers. Names are
// not looked up: their server may be behind the very network that is away. The
// error is that of the first portal. Calls may overlap.
func (s *Session) Connect(ctx context.Context) (*Connection, error) {
	portals := s.Known()
	conn, winner, lost := s.race(ctx, portals)
	if conn == nil {
		return nil, lost[0]
	}
	return &Connection{conn, portals[winner]}, nil
}

// Known returns the portals in the order in which they are tried.
func (s *Session) Known() []netip.AddrPort {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.Portals)
}

// Relogin gives the session's connection up, whatever its state, and logs in by
// another one, which it takes over. The kernel needs the first even where it
// has cleaned up by itself.
func (s *Session) Relogin(ctx context.Context, c *Connection) error {
	s.attempts++
	s.again = s.fresh == nil
	failed := &LoginError{Initiator: s.Initiator, Target: s.Target, Attempt: s.attempts}
	if s.fresh == nil || s.kernel.Bound() {
		if err := s.stop(ctx); err != nil {
			_ = c.Close()
			failed.Tries = []Try{{Portal: c.addr.String(), Err: err}}
			return failed
		}
	}
	_, try := s.follow(ctx, c.conn, c.addr)
	var silence *SilenceError
	if s.silent++; try == nil || !errors.As(try.Err, &silence) {
		s.silent = 0
	}
	if try != nil {
		s.last(c.addr)
		failed.Tries = []Try{*try}
		return failed
	}
	if s.fresh != nil {
		return s.begin()
	}
	return nil
}

// last makes a portal the last one to try: one that takes connections and lets
// nobody log in must not keep us from the others.
func (s *Session) last(addr netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.Portals, addr); i >= 0 {
		s.Portals = append(slices.Delete(slices.Clone(s.Portals), i, i+1), addr)
	}
}

// begin does what follows the first login of a session. Looking for disks waits
// for the target, which may be away again.
func (s *Session) begin() error {
	lun := *s.fresh
	s.fresh = nil
	go func() { _ = s.Scan(lun) }()
	return s.Hold()
}

// NeverUp says that the session is not logged in yet, and for which LUN to look
// when it is.
func (s *Session) NeverUp(lun uint64) { s.fresh = &lun }

// Logout ends the connection as the target has asked, and returns its
// Time2Wait. The kernel holds commands back until the next login.
func (s *Session) Logout(ctx context.Context) (time.Duration, error) {
	pipe := s.kernel.Pipe()
	defer pipe.Close()
	resp, err := iscsi.Logout(ctx, pipe, iscsi.LogoutRequest{Immediate: true, Reason: iscsi.LogoutSession})
	return time.Duration(resp.Time2Wait) * time.Second, err
}

// Up reads from the kernel whether commands flow. os.ErrNotExist: there is no
// such session any more.
func (s *Session) Up() (bool, error) {
	state, err := s.kernel.State()
	if err != nil {
		return false, err
	}
	conn, err := s.kernel.ConnState()
	return state == "LOGGED_IN" && conn == "up", err
}
