package session

import (
	"context"
	"net"
	"net/netip"
	"slices"

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
	s.mu.Lock()
	portals := slices.Clone(s.Portals)
	s.mu.Unlock()
	conn, winner, lost := s.race(ctx, portals)
	if conn == nil {
		return nil, lost[0]
	}
	return &Connection{conn, portals[winner]}, nil
}

// Relogin gives the session's connection up, whatever its state, and logs in by
// another one, which it takes over. The kernel needs the first even where it
// has cleaned up by itself.
func (s *Session) Relogin(ctx context.Context, c *Connection) error {
	s.attempts++
	failed := &LoginError{Initiator: s.Initiator, Target: s.Target, Attempt: s.attempts}
	if err := s.stop(ctx); err != nil {
		_ = c.Close()
		failed.Tries = []Try{{Portal: c.addr.String(), Err: err}}
		return failed
	}
	_, try := s.follow(ctx, c.conn, c.addr)
	if try != nil {
		failed.Tries = []Try{*try}
		return failed
	}
	return nil
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
