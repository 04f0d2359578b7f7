package session

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/portal"
)

// maxHops is how many consecutive redirects are followed.
const maxHops = 4

// follow logs in at an address and follows redirects, by the same way if its address family fits,
// always to the same target. After a permanent redirect the new portals are tried first from now
// on; after a temporary one the next login begins where this one did. others is whether another
// portal remains to be tried.
func (s *Session) follow(ctx context.Context, conn *net.TCPConn, p path, others bool) (Notes, *PortalError) {
	e := loginPath{path: p, start: p.addr, group: s.group, others: others}
	hops := []string{p.addr.String()}
	permanent := true
	var moved []netip.AddrPort
	for {
		notes, err := s.loginAt(ctx, conn, e)
		if err == nil {
			s.recordRedirect(moved)
			return notes, nil
		}
		fail := func(err error) (Notes, *PortalError) {
			return Notes{}, &PortalError{Portal: strings.Join(hops, ", redirected to "), Err: err}
		}
		var status *iscsi.StatusError
		if !errors.As(err, &status) {
			return fail(err)
		}
		to, isPermanent, ok := status.Redirect()
		switch {
		case !ok:
			return fail(err)
		case len(hops) > maxHops:
			return fail(&portal.RedirectError{To: to.String(), Cause: fmt.Sprintf("more than %d redirects in a row", maxHops)})
		case slices.Contains(hops, hostPort(to)):
			return fail(&portal.RedirectError{To: to.String(), Cause: "a redirect loop"})
		}
		hops = append(hops, hostPort(to))
		var addrs []netip.AddrPort
		if addrs, err = s.resolveAll(ctx, status.Addresses); err != nil {
			return fail(err)
		}
		next := pathsOrPlain([]Way{p.way}, addrs)
		var winner int
		var lost map[int]error
		if conn, winner, lost = s.race(ctx, next); conn == nil {
			return fail(lost[0])
		}
		e = loginPath{path: next[winner], start: e.start, group: s.group, others: others}
		if to.HasTPGT {
			e.group = &to.TPGT
		}
		if permanent = permanent && isPermanent; permanent {
			e.start, moved = e.addr, addrs
		}
	}
}

// recordRedirect puts the portals of a permanent redirect first. The old ones are kept, since the
// target may move back. Of more than MaxPortals the oldest are dropped.
func (s *Session) recordRedirect(to []netip.AddrPort) {
	if len(to) > 0 {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.redirectedTo = bounded(to, s.Portal, MaxPortals)
		s.Portals = bounded(unique(slices.Concat(to, s.Portals)), s.Portal, MaxPortals)
	}
}

// hostPort is the address without the portal group.
func hostPort(a iscsi.TargetAddress) string {
	return bootspec.Portal{Host: a.Host, Port: a.Port}.String()
}

// resolveAll returns the addresses of a redirect. It fails if there are none.
func (s *Session) resolveAll(ctx context.Context, list []iscsi.TargetAddress) ([]netip.AddrPort, error) {
	var out []netip.AddrPort
	var first error
	for _, a := range list {
		addrs, err := s.resolve(ctx, bootspec.Portal{Host: a.Host, Port: a.Port})
		if first == nil {
			first = err
		}
		out = append(out, addrs...)
	}
	if len(out) > 0 {
		return unique(out), nil
	}
	return nil, first
}
