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

// maxHops is how many redirects in a row are followed.
const maxHops = 4

// follow logs in at an address and at where it redirects to, by the same way if that suits, always
// to the same target. A target that has moved for good is looked for there first from now on; after
// one that has moved temporarily the next login begins where this one did. others tells that
// another portal is left.
func (s *Session) follow(ctx context.Context, conn *net.TCPConn, p path, others bool) (Notes, *Try) {
	e := entry{path: p, start: p.addr, group: s.group, others: others}
	hops := []string{p.addr.String()}
	forGood := true
	var moved []netip.AddrPort
	for {
		notes, err := s.enter(ctx, conn, e)
		if err == nil {
			s.move(moved)
			return notes, nil
		}
		fail := func(err error) (Notes, *Try) {
			return Notes{}, &Try{Portal: strings.Join(hops, ", redirected to "), Err: err}
		}
		var status *iscsi.StatusError
		if !errors.As(err, &status) {
			return fail(err)
		}
		to, permanent, ok := status.Redirect()
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
		e = entry{path: next[winner], start: e.start, group: s.group, others: others}
		if to.HasTPGT {
			e.group = &to.TPGT
		}
		if forGood = forGood && permanent; forGood {
			e.start, moved = e.addr, addrs
		}
	}
}

// move makes a target's new place the first to try. Its old ones stay: who is sent away for good
// may come back. Of more than MaxPortals the oldest are forgotten.
func (s *Session) move(to []netip.AddrPort) {
	if len(to) > 0 {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.moved = bounded(to, s.Portal, MaxPortals)
		s.Portals = bounded(unique(slices.Concat(to, s.Portals)), s.Portal, MaxPortals)
	}
}

// hostPort is the address without the portal group.
func hostPort(a iscsi.TargetAddress) string {
	return bootspec.Portal{Host: a.Host, Port: a.Port}.String()
}

// resolveAll returns the addresses that a redirect leads to. It fails if there are none.
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
