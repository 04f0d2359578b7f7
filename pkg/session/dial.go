package session

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/contain"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/portal"
)

// maxAddresses is how many addresses of one name are tried.
const maxAddresses = 16

// dial opens the TCP connection.
func (s *Session) dial(ctx context.Context, p path) (*net.TCPConn, error) {
	d := p.way.dialer()
	d.Timeout = s.times.dial
	conn, err := d.DialContext(ctx, "tcp", p.addr.String())
	if err != nil {
		return nil, p.failed(err)
	}
	return conn.(*net.TCPConn), nil
}

// failed returns the error of a connect by this path.
func (p path) failed(err error) error {
	return &portal.ConnectError{Portal: p.addr, Source: p.way.Source, Device: p.way.Device, Err: err}
}

// dialResult is the result of one connect of a race.
type dialResult struct {
	index int
	conn  *net.TCPConn
	err   error
}

// race connects by the paths in their order, each after a delay (stagger), or when all connects
// that were started have failed, and returns the first connection (as RFC 8305). The errors are
// those of the paths that failed until then, by index.
func (s *Session) race(ctx context.Context, paths []path) (conn *net.TCPConn, winner int, failed map[int]error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stagger := s.stagger(ctx, len(paths))
	results := make(chan dialResult, len(paths))
	failed = map[int]error{}
	next := time.NewTimer(0)
	defer next.Stop()
	for started := 0; len(failed) < len(paths); {
		if started < len(paths) && started == len(failed) {
			next.Reset(0)
		}
		select {
		case <-next.C:
			if started == len(paths) {
				continue
			}
			index := started
			started++
			next.Reset(stagger)
			contain.Go("a connect", func() {
				conn, err := s.dial(ctx, paths[index])
				results <- dialResult{index, conn, err}
			}, func(err error) {
				results <- dialResult{index: index, err: paths[index].failed(err)}
			})
		case a := <-results:
			if a.err == nil {
				running := started - len(failed) - 1
				contain.Go("closing late connections", func() { closeLate(results, running) }, nil)
				return a.conn, a.index, failed
			}
			failed[a.index] = a.err
		}
	}
	return nil, 0, failed
}

// stagger returns the delay between the starts of two connects. All are started in the first half
// of the time that ctx leaves, so that every path is tried.
func (s *Session) stagger(ctx context.Context, paths int) time.Duration {
	end, ok := ctx.Deadline()
	if !ok || paths == 0 {
		return s.times.stagger
	}
	return min(s.times.stagger, max(0, time.Until(end)/time.Duration(2*paths)))
}

// closeLate closes the connections that are established after a race has ended.
func closeLate(results <-chan dialResult, running int) {
	for range running {
		if a := <-results; a.conn != nil {
			_ = a.conn.Close()
		}
	}
}

// addresses returns the addresses to try, and the errors of names that were not resolved. Up to
// MaxPortals are stored, so that a reconnect needs no name server.
func (s *Session) addresses(ctx context.Context) ([]netip.AddrPort, []PortalError) {
	found := make([][]netip.AddrPort, len(s.portals))
	errs := make([]error, len(s.portals))
	var lookups sync.WaitGroup
	for i, p := range s.portals {
		lookups.Go(contain.Func("a look-up", func() { found[i], errs[i] = s.resolve(ctx, p) }, func(err error) {
			errs[i] = &portal.ResolveError{Host: p.Host, Err: err}
		}))
	}
	lookups.Wait()
	var lost []PortalError
	for i := range found {
		if errs[i] != nil {
			lost = append(lost, PortalError{Portal: s.portals[i].String(), Err: errs[i]})
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.candidates(slices.Concat(found...), len(lost) > 0)
	s.Portals = all
	if len(all) > MaxPortals { // an equal share for each name
		s.Portals = bounded(s.candidates(interleave(found), len(lost) > 0), s.Portal, MaxPortals)
	}
	return slices.Clone(all), lost
}

// candidates returns the addresses to try: those of a permanent redirect, those that were found
// now, and, if before is set, those of earlier logins. The caller holds mu.
func (s *Session) candidates(found []netip.AddrPort, before bool) []netip.AddrPort {
	all := slices.Concat(s.redirectedTo, found)
	if before {
		all = append(all, s.Portals...)
	}
	return unique(all)
}

// unique removes duplicates.
func unique(addrs []netip.AddrPort) []netip.AddrPort {
	var out []netip.AddrPort
	for _, a := range addrs {
		if !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	return out
}

// resolve returns the addresses of a portal.
func (s *Session) resolve(ctx context.Context, p bootspec.Portal) ([]netip.AddrPort, error) {
	if addr, ok := p.Addr(); ok {
		return []netip.AddrPort{netip.AddrPortFrom(addr, p.Port)}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.times.lookup)
	defer cancel()
	addrs, err := s.resolver.LookupNetIP(ctx, "ip", p.Host)
	if err != nil {
		return nil, &portal.ResolveError{Host: p.Host, Err: err}
	}
	var out []netip.AddrPort
	for _, a := range addrs[:min(len(addrs), maxAddresses)] {
		out = append(out, netip.AddrPortFrom(a.Unmap(), p.Port))
	}
	return out, nil
}
