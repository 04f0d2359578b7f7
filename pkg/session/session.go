package session

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
)

// How long one try may take.
const (
	dialTimeout  = 5 * time.Second  // TCP connection
	loginTimeout = 45 * time.Second // all PDUs of a login
	stopTimeout  = 10 * time.Second // giving a connection up
)

// Record is a session's state as a value: what a later reconnect needs to know.
type Record struct {
	SID       uint32 // the kernel's session id
	HostNo    uint32 // the kernel's SCSI host
	ISID      [6]byte
	Initiator string
	Target    string
	Portal    netip.AddrPort // where the last login went
	Params    iscsi.Params   // as negotiated by the last login
	TSIH      uint16
	TPGT      uint16
}

// Session is one target's session.
type Session struct {
	Record
	kernel *kernel.Session
	group  *uint16 // TPGT to expect
	chap   *iscsi.CHAP
	offer  iscsi.Offer
}

// Create makes the session in the kernel without connecting.
func Create(ctx context.Context, t *kernel.Transport, initiator string, target bootspec.Target, login bootspec.Login) (*Session, error) {
	k, err := t.CreateSession(ctx, kernel.Limits{}, 1)
	if err != nil {
		return nil, err
	}
	s := &Session{kernel: k, Record: Record{
		SID:       k.SID,
		HostNo:    k.HostNo,
		ISID:      k.ISID(),
		Initiator: initiator,
		Target:    target.Name.V,
		TPGT:      1,
	}}
	if len(target.Portals) > 0 {
		if addr, ok := target.Portals[0].V.Addr(); ok {
			s.Portal = netip.AddrPortFrom(addr, target.Portals[0].V.Port)
		}
	}
	s.chap = target.CHAP.Config(login.CHAPAlgorithms())
	s.offer = iscsi.DefaultOffer()
	s.offer.HeaderDigest, s.offer.DataDigest = login.HeaderDigest.V, login.DataDigest.V
	if target.Group.Given() {
		s.group, s.TPGT = &target.Group.V, target.Group.V
	}
	return s, nil
}

// Login connects, logs in and starts the session. The strings are warnings.
// After an error the connection is closed and Login can be called again.
func (s *Session) Login(ctx context.Context) ([]string, error) {
	warnings, err := s.try(ctx, false)
	var stage *iscsi.StageError
	if errors.As(err, &stage) {
		// The target may want a security stage first; what it said without
		// one is the better message if it wants neither.
		if w, err2 := s.try(ctx, true); err2 == nil {
			return w, nil
		}
	}
	if err != nil {
		return nil, &LoginError{Target: s.Target, Portal: s.Portal, Err: err}
	}
	return warnings, nil
}

// try is one connection.
func (s *Session) try(ctx context.Context, securityStage bool) (warnings []string, err error) {
	conn, err := dial(ctx, s.Portal)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, loginTimeout)
	defer cancel()
	defer func() {
		if err != nil {
			stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
			defer cancel()
			if serr := s.kernel.Stop(stop); serr != nil {
				err = fmt.Errorf("%w; then %w", err, serr)
			}
		}
	}()
	pipe := s.kernel.Pipe()
	defer pipe.Close()
	if err := s.bind(ctx, conn); err != nil {
		return nil, err
	}
	if err := s.kernel.Set(ctx, s.before()); err != nil {
		return nil, err
	}
	result, err := iscsi.Login(ctx, pipe, iscsi.LoginConfig{
		InitiatorName: s.Initiator,
		TargetName:    s.Target,
		ISID:          s.ISID,
		CmdSN:         1,
		TPGT:          s.group,
		SecurityStage: securityStage,
		CHAP:          s.chap,
		Offer:         s.offer,
	})
	if err != nil {
		return nil, err
	}
	s.Params, s.TSIH = result.Params, result.TSIH
	if result.HasTPGT {
		s.TPGT = result.TPGT
	}
	if err := s.kernel.Set(ctx, s.after(result)); err != nil {
		return nil, err
	}
	return result.Warnings, s.kernel.Start(ctx)
}

// bind gives the connection to the kernel and closes our end of it.
func (s *Session) bind(ctx context.Context, conn *net.TCPConn) error {
	raw, err := conn.SyscallConn()
	if err == nil {
		var berr error
		err = errors.Join(raw.Control(func(fd uintptr) { berr = s.kernel.Bind(ctx, fd) }), berr)
	}
	if cerr := conn.Close(); err == nil && cerr != nil {
		err = fmt.Errorf("close connection: %w", cerr)
	}
	return err
}

// dial opens the TCP connection. Keep-alive stays off: NOPs do that work.
func dial(ctx context.Context, portal netip.AddrPort) (*net.TCPConn, error) {
	d := net.Dialer{Timeout: dialTimeout, KeepAlive: -1}
	conn, err := d.DialContext(ctx, "tcp", portal.String())
	if err != nil {
		return nil, &ConnectError{Portal: portal, Err: err}
	}
	return conn.(*net.TCPConn), nil
}

// RecoveryTimeout is for how many seconds the kernel holds a root disk's I/O
// back while the session is down: a day, where the kernel's default of two
// minutes ends in an I/O error and a dead root.
const RecoveryTimeout = 86400

// Hold sets RecoveryTimeout.
func (s *Session) Hold() error { return s.kernel.SetRecoveryTimeout(RecoveryTimeout) }

// Scan looks for one LUN, or for all (kernel.ScanAll).
func (s *Session) Scan(lun int) error { return s.kernel.Scan(lun) }
