package session

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// Notes are what a login that came about has to tell.
type Notes struct {
	Warnings []string // somebody should do something about these
	Oddities []string // of the target, which do not stand in the way
}

// Login connects, logs in and starts the session. The portals race by TCP
// connect alone: the winner is bound to the kernel's one session, and if the
// login fails there, the others have their turn. After an error, which is a
// *LoginError, the connection is closed and Login can be called again.
func (s *Session) Login(ctx context.Context) (Notes, error) {
	s.attempts++
	failed := &LoginError{Initiator: s.Initiator, Target: s.Target, Attempt: s.attempts}
	if err := s.Stop(ctx); err != nil { // a login that is up starts over
		failed.Tries = []Try{{Portal: s.Portal.String(), Err: err}}
		return Notes{}, failed
	}
	addrs, lost := s.addresses(ctx)
	failed.Tries = append(failed.Tries, lost...)
	for len(addrs) > 0 {
		conn, winner, lost := s.race(ctx, addrs)
		for i, addr := range addrs {
			if lost[i] != nil {
				failed.Tries = append(failed.Tries, Try{Portal: addr.String(), Err: lost[i]})
			}
		}
		if conn == nil {
			break
		}
		notes, try := s.follow(ctx, conn, addrs[winner])
		s.answered(try)
		if try == nil {
			s.refusals = 0
			return notes, nil
		}
		failed.Tries = append(failed.Tries, *try)
		if ctx.Err() != nil {
			break
		}
		var rest []netip.AddrPort
		for i, a := range addrs {
			if lost[i] == nil && i != winner {
				rest = append(rest, a)
			}
		}
		addrs = rest
	}
	if failed.refused() {
		s.refusals++
	} else {
		s.refusals = 0
	}
	failed.Refusals = s.refusals
	return Notes{}, failed
}

// entry is one way in: where to connect, and where a later reconnect begins.
type entry struct {
	addr  netip.AddrPort
	start netip.AddrPort
	group *uint16 // TPGT to expect
}

// enter logs in over conn. Where the target turns down a login in a way that
// another form of it may cure, it connects to the same address once more.
func (s *Session) enter(ctx context.Context, conn *net.TCPConn, e entry) (Notes, error) {
	notes, err := s.try(ctx, conn, e, iscsi.LoginConfig{CHAP: s.chap})
	var stage *iscsi.StageError
	var list *iscsi.AlgorithmsError
	var second iscsi.LoginConfig
	switch {
	case err == nil:
		return notes, nil
	case errors.As(err, &stage):
		// The target may want a security stage first.
		second = iscsi.LoginConfig{SecurityStage: true}
	case errors.As(err, &list) && (s.chap.Algorithms == nil || slices.Contains(s.chap.Algorithms, iscsi.MD5)):
		old := *s.chap
		old.Algorithms = []iscsi.Algorithm{iscsi.MD5}
		second = iscsi.LoginConfig{CHAP: &old}
	default:
		return Notes{}, err
	}
	conn, err2 := s.dial(ctx, e.addr)
	if err2 == nil {
		notes, err2 = s.try(ctx, conn, e, second)
	}
	switch {
	case err2 == nil && list != nil:
		notes.Warnings = append(notes.Warnings, "the target did not get along with the list of CHAP's hashes, so that MD5 had to be allowed: iscsi_chap=md5 saves a connection")
		return notes, nil
	case err2 == nil:
		return notes, nil
	}
	return Notes{}, telling(err, err2)
}

// telling chooses between the errors of a login and of its other form. What the
// target said first is the better message, unless it said less, or it moved; and
// a wrong secret comes to light only with a hash that both sides know.
func telling(first, second error) error {
	var status *iscsi.StatusError
	if errors.As(second, &status) {
		if _, _, moved := status.Redirect(); moved {
			return second
		}
	}
	var list *iscsi.AlgorithmsError
	var auth *iscsi.AuthError
	if errors.As(first, &list) && (status != nil || errors.As(second, &auth)) {
		return second
	}
	return iscsi.Telling(first, second)
}
