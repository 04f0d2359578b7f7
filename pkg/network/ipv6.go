package network

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/contain"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp6"
)

// How long to wait for what an address can be used without.
const (
	routerPatience = 3 * time.Second // for a router in addition to a DHCPv6 server
	informPatience = 3 * time.Second // for DNS servers in addition to an address
)

// ipv6 gets an IPv6 address. The kernel generates its own from router advertisements; such an
// address is waited for and read.
func (a *attempt) ipv6(ctx context.Context, m bootspec.Method) (dhcp.Lease, error) {
	if !a.sysctl("disable_ipv6", "0") {
		return dhcp.Lease{}, fmt.Errorf("%s: the kernel has no IPv6: is ipv6.disable=1 on the command line?", a.name)
	}
	a.report(a.name + ": waiting for its link-local address")
	own, err := dhcp6.WaitAddress(ctx, a.name, dhcp6.LinkLocal)
	if err != nil {
		return dhcp.Lease{}, err
	}
	var l dhcp.Lease
	switch m {
	case bootspec.LinkLocal:
		l = dhcp.Lease{Interface: a.name, Method: dhcp.LinkLocal, Address: netip.PrefixFrom(own, 64), HostName: a.HostName}
	case bootspec.DHCP6:
		l, err = a.dhcp6(ctx)
	default:
		l, err = a.advertised(ctx, m == bootspec.Either6)
	}
	a.gateway(&l)
	return l, err
}

// dhcp6 requests an address from a DHCPv6 server, and meanwhile solicits the routers: only they
// supply routes (RFC 8415 section 4.2). The goroutine that solicits the routers ends with rctx, at
// the latest when dhcp6 returns; nothing waits for it.
func (a *attempt) dhcp6(ctx context.Context) (dhcp.Lease, error) {
	type answer struct {
		router dhcp6.Router
		err    error
	}
	routers := make(chan answer, 1)
	rctx, cancel := context.WithCancel(ctx)
	defer cancel()
	contain.Go("router advertisements", func() {
		r, err := dhcp6.Solicit(rctx, a.name)
		routers <- answer{r, err}
	}, func(err error) { routers <- answer{err: err} })
	l, err := a.acquire6(ctx)
	if err != nil {
		return l, err
	}
	select {
	case got := <-routers:
		var bug *contain.PanicError
		if errors.As(got.err, &bug) {
			return l, got.err
		}
		if got.err == nil {
			addRouter(&l, got.router)
		}
	case <-time.After(routerPatience):
		l.Ignored = append(l.Ignored, "no router advertisement on this link: only hosts with a route can be reached")
	}
	return l, nil
}

func (a *attempt) acquire6(ctx context.Context) (dhcp.Lease, error) {
	conn, err := dhcp6.Open(a.name)
	if err != nil {
		return dhcp.Lease{}, err
	}
	a.report(a.name + ": waiting for a DHCPv6 server")
	return dhcp6.Acquire(ctx, conn, a.config6())
}

func (a *attempt) config6() dhcp6.Config {
	return dhcp6.Config{Interface: a.name, MAC: a.mac, WantRootPath: a.root, Report: a.report, SinceBoot: a.sinceBoot}
}

// advertised gets an address as a router's advertisement specifies: the kernel's, generated from
// the advertised prefix, or a DHCPv6 server's if the router announces one and either method is
// accepted, or no prefix is usable.
func (a *attempt) advertised(ctx context.Context, either bool) (dhcp.Lease, error) {
	for n := 0; ; n++ {
		a.report(a.name + ": waiting for a router's advertisement")
		r, err := dhcp6.Solicit(ctx, a.name)
		if err != nil {
			return dhcp.Lease{}, err
		}
		i := slices.IndexFunc(r.Prefixes, func(p dhcp6.Prefix) bool { return p.Autonomous && p.Valid > 0 && p.Prefix.Bits() == 64 })
		switch {
		case r.Managed && (either || i < 0):
			l, err := a.acquire6(ctx)
			addRouter(&l, r)
			return l, err
		case i >= 0:
			return a.autoconf(ctx, r, r.Prefixes[i].Prefix)
		}
		a.report(fmt.Sprintf("%s: router %s advertises no prefix for an address", a.name, r.Addr))
		select {
		case <-time.After(dhcp.Backoff(n, rand.Float64())):
		case <-ctx.Done():
			return dhcp.Lease{}, ctx.Err()
		}
	}
}

// autoconf waits for the address that the kernel generates (RFC 4862 section 5.5), and requests
// other configuration if the router announces a server for it.
func (a *attempt) autoconf(ctx context.Context, r dhcp6.Router, network netip.Prefix) (dhcp.Lease, error) {
	addr, err := dhcp6.WaitAddress(ctx, a.name, dhcp6.Within(network))
	if err != nil {
		return dhcp.Lease{}, err
	}
	l := dhcp.Lease{Interface: a.name, Method: dhcp.Auto6}
	if r.Other {
		conn, err := dhcp6.Open(a.name)
		if err != nil {
			return l, err
		}
		ictx, cancel := ctx, context.CancelFunc(func() {})
		if !a.root {
			ictx, cancel = context.WithTimeout(ctx, informPatience)
		}
		defer cancel()
		a.report(a.name + ": waiting for a DHCPv6 server's information")
		if got, err := dhcp6.Inform(ictx, conn, a.config6()); err == nil {
			l = got
		} else if ctx.Err() != nil {
			return l, err
		}
	}
	l.Address = netip.PrefixFrom(addr, network.Bits())
	addRouter(&l, r)
	return l, nil
}

// addRouter adds to a lease what only the router supplies. The kernel has its routes already.
func addRouter(l *dhcp.Lease, r dhcp6.Router) {
	for _, p := range r.Prefixes {
		if p.OnLink && p.Valid > 0 {
			l.Routes = append(l.Routes, dhcp.Route{To: p.Prefix})
		}
	}
	if r.Lifetime > 0 {
		l.Routes = append(l.Routes, dhcp.Route{To: netip.PrefixFrom(netip.IPv6Unspecified(), 0), Via: r.Addr})
	}
	for _, d := range r.DNS {
		if !slices.Contains(l.DNS, d) {
			l.DNS = append(l.DNS, d)
		}
	}
	if len(l.Search) == 0 {
		l.Search = r.Search
	}
	if l.MTU == 0 {
		l.MTU = r.MTU
	}
}
