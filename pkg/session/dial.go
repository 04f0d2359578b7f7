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

// failed is a connection that did not come about by this path.
func (p path) failed(err error) error {
	return &portal.ConnectError{Portal: p.addr, Source: p.way.Source, Device: p.way.Device, Err: err}
}

// arrival is how one runner of a race ended.
type arrival struct {
	index int
	conn  *net.TCPConn
	err   error
}

// race connects by the paths in their order, each a moment after the one before or when all before
// have failed, and returns the first connection. The errors are those of the paths that failed by
// then, by index.
func (s *Session) race(ctx context.Context, paths []path) (conn *net.TCPConn, winner int, failed map[int]error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stagger := s.stagger(ctx, len(paths))
	arrivals := make(chan arrival, len(paths))
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
				arrivals <- arrival{index, conn, err}
			}, func(err error) {
				arrivals <- arrival{index: index, err: paths[index].failed(err)}
			})
		case a := <-arrivals:
			if a.err == nil {
				running := started - len(failed) - 1
				contain.Go("closing late connections", func() { closeLate(arrivals, running) }, nil)
				return a.conn, a.index, failed
			}
			failed[a.index] = a.err
		}
	}
	return nil, 0, failed
}

// stagger is the time from one path to the next. In the first half of the time that ctx leaves all
// are begun: none may be out of reach for ever.
func (s *Session) stagger(ctx context.Context, paths int) time.Duration {
	end, ok := ctx.Deadline()
	if !ok || paths == 0 {
		return s.times.stagger
	}
	return min(s.times.stagger, max(0, time.Until(end)/time.Duration(2*paths)))
}

// closeLate closes what connects after a race is over.
func closeLate(arrivals <-chan arrival, running int) {
	for range running {
		if a := <-arrivals; a.conn != nil {
			_ = a.conn.Close()
		}
	}
}

// addresses returns where to try, and why some portals' names lead nowhere. Up to MaxPortals are
// kept, so that a reconnect needs no name server.
func (s *Session) addresses(ctx context.Context) ([]netip.AddrPort, []Try) {
	found := make([][]netip.AddrPort, len(s.portals))
	errs := make([]error, len(s.portals))
	var lookups sync.WaitGroup
	for i, p := range s.portals {
		lookups.Go(contain.Func("a look-up", func() { found[i], errs[i] = s.resolve(ctx, p) }, func(err error) {
			errs[i] = &portal.ResolveError{Host: p.Host, Err: err}
		}))
	}
	lookups.Wait()
	var lost []Try
	for i := range found {
		if errs[i] != nil {
			lost = append(lost, Try{Portal: s.portals[i].String(), Err: errs[i]})
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.known(slices.Concat(found...), len(lost) > 0)
	s.Portals = all
	if len(all) > MaxPortals { // each name keeps its share
		s.Portals = bounded(s.known(inTurns(found), len(lost) > 0), s.Portal, MaxPortals)
	}
	return slices.Clone(all), lost
}

// known returns where to try: where the target has moved to, what names led to now, and with before
// what was known. The caller holds mu.
func (s *Session) known(found []netip.AddrPort, before bool) []netip.AddrPort {
	all := slices.Concat(s.moved, found)
	if before {
		all = append(all, s.Portals...)
	}
	return unique(all)
}

// unique drops what is there already.
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
