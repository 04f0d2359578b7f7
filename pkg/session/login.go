package session

import (
	"context"
	"net"
	"net/netip"
	"slices"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// Notes are what a successful login reports.
type Notes struct {
	Warnings []string // for the administrator
	Oddities []string // of the target, harmless
}

// Login connects, logs in and starts the session. The portals race by TCP connect alone: the winner
// is bound to the kernel's one session, and if the login fails there, the others are tried. After
// an error, which is a *LoginError, the connection is closed and Login can be called again.
func (s *Session) Login(ctx context.Context) (Notes, error) {
	s.attempts++
	failed := &LoginError{Initiator: s.Initiator, Target: s.Target, Attempt: s.attempts}
	if err := s.Stop(ctx); err != nil { // a session that is logged in logs in again
		failed.Portals = []PortalError{{Portal: s.Portal.String(), Err: err}}
		return Notes{}, failed
	}
	addrs, lost := s.addresses(ctx)
	failed.Portals = append(failed.Portals, lost...)
	paths, err := s.pathsTo(addrs)
	if err != nil {
		failed.Portals = append(failed.Portals, PortalError{Portal: s.portals[0].String(), Err: err})
	}
	for len(paths) > 0 {
		conn, winner, lost := s.race(ctx, paths)
		for i, p := range paths {
			if lost[i] != nil {
				failed.Portals = append(failed.Portals, PortalError{Portal: p.addr.String(), Err: lost[i]})
			}
		}
		if conn == nil {
			break
		}
		var rest []path
		for i, p := range paths {
			if lost[i] == nil && i != winner {
				rest = append(rest, p)
			}
		}
		others := remove(rest, paths[winner])
		notes, try := s.follow(ctx, conn, paths[winner], len(others) > 0)
		if try == nil {
			s.refusals = 0
			return notes, nil
		}
		failed.Portals = append(failed.Portals, *try)
		if ctx.Err() != nil {
			break
		}
		paths = rest
		if final(try.Err) {
			paths = others
		}
	}
	if failed.refused() {
		s.refusals++
	} else {
		s.refusals = 0
	}
	failed.Refusals = s.refusals
	return Notes{}, failed
}

// remove returns the paths to other portals than that of p.
func remove(paths []path, p path) []path {
	return slices.DeleteFunc(slices.Clone(paths), p.samePortal)
}

// loginPath is where to connect, and where a later reconnect begins.
type loginPath struct {
	path
	start  netip.AddrPort
	group  *uint16 // TPGT to expect
	others bool    // another portal, not only another path to this one, remains if it fails here
}

// loginAt logs in over conn, and again at the same address where a fallback may help.
func (s *Session) loginAt(ctx context.Context, conn *net.TCPConn, e loginPath) (Notes, error) {
	var notes Notes
	form, err := s.loginWithFallbacks(func(cfg iscsi.LoginConfig) (err error) {
		if conn == nil {
			if conn, err = s.dial(ctx, e.path); err != nil {
				return err
			}
		}
		notes, err = s.loginOnce(ctx, conn, e, cfg)
		conn = nil
		return err
	})
	if err != nil {
		return Notes{}, err
	}
	notes.Warnings = append(notes.Warnings, s.recordFallback(form)...)
	return notes, nil
}
