package uplink

import (
	"context"
	"errors"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/clock"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp4"
	"github.com/iscsiroot/iscsiroot/pkg/recovery"
)

// extender asks for more time for a lease: dhcp4.Renew and dhcp4.Rebind.
type extender func(ctx context.Context, cfg dhcp4.Config, l dhcp.Lease) (dhcp.Lease, error)

// Renewer keeps a leased address for as long as no DHCP client of the system
// does: one that was never started leaves root with an address that the server
// gives to another machine.
type Renewer struct {
	renew, rebind extender
	// clock is the time since boot, that of sleep included, as Lease.Obtained.
	clock     func() time.Duration
	holder    func(dhcp.Lease) holding // what the system does with the lease
	onRenewed func(dhcp.Lease)
	// current is told until when the lease lasts that another program renews.
	current func(dhcp.Lease)
	log     recovery.Logger

	passive bool // another program renews it
	expired bool
}

// Renewer returns what renews the lease of the i-th uplink. got is told of each
// lease that it gets.
func (k *Keeper) Renewer(i int, got func(dhcp.Lease)) *Renewer {
	return &Renewer{
		renew: dhcp4.Renew, rebind: dhcp4.Rebind, clock: k.clock, log: k.log, onRenewed: got,
		holder:  func(l dhcp.Lease) holding { return k.leaseHolder(i, l) },
		current: func(l dhcp.Lease) { k.setLease(i, l) },
	}
}

// Pauses of the renewer.
const (
	renewRetryPause = time.Minute      // between requests without an answer, after rebinding began
	minRenewPause   = 2 * time.Second  // between any two
	renewCheckEvery = 30 * time.Second // until it is seen anew whether another program still does it
)

// Run works until ctx ends.
func (r *Renewer) Run(ctx context.Context, l dhcp.Lease) {
	for {
		wait := l.Obtained + l.Renew - r.clock()
		if l.Renew == dhcp.Infinite || l.Renew <= 0 {
			return
		}
		if clock.Sleep(ctx, max(wait, minRenewPause)) != nil {
			return
		}
		h := r.holder(l)
		if h.renewedByOther != r.passive {
			r.passive = h.renewedByOther
			if h.renewedByOther {
				r.log.Infof("network: the system renews the lease of %s: standing by", l.Address.Addr())
			} else {
				r.log.Infof("network: no other program renews the lease of %s: doing it", l.Address.Addr())
			}
		}
		if h.left != dhcp.Infinite { // another program has renewed the lease since
			l.Obtained = max(l.Obtained, r.clock()+h.left-l.Lifetime)
		}
		if h.renewedByOther && h.present {
			r.current(renewedBy(l, h, r.clock()))
		}
		if h.renewedByOther || h.cfg.Interface == "" {
			// An eighth of the lease is left to renew it when no other program does.
			if clock.Sleep(ctx, max(minRenewPause, min(renewCheckEvery, l.Lifetime/32))) != nil {
				return
			}
			continue
		}
		l = r.extend(ctx, h.cfg, l)
	}
}

// renewedBy is a lease that another program renews. Where the address has no end,
// an eighth of the lease is left at the least (RFC 2131 section 4.4.5, T2).
func renewedBy(l dhcp.Lease, h holding, now time.Duration) dhcp.Lease {
	if h.left == dhcp.Infinite {
		l.Obtained = max(l.Obtained, now-l.Lifetime/8*7)
	}
	return l
}

// extend asks the server that gave the lease, and later any (RFC 2131 section
// 4.4.5), and returns the lease as it then is.
func (r *Renewer) extend(ctx context.Context, cfg dhcp4.Config, l dhcp.Lease) dhcp.Lease {
	ask, end := r.renew, l.Obtained+l.Rebind
	now := r.clock()
	if now >= end {
		ask, end = r.rebind, max(l.Obtained+l.Lifetime, now+renewRetryPause)
	}
	asking, cancel := context.WithTimeout(ctx, max(end-now, minRenewPause))
	defer cancel()
	next, err := ask(asking, cfg, l)
	switch {
	case err == nil:
		if r.expired {
			r.log.Warnf("network: the lease of %s is renewed", l.Address.Addr())
		}
		r.expired = false
		next.Interface = l.Interface
		r.onRenewed(next)
		return next
	case ctx.Err() != nil:
		return l
	case errors.Is(err, dhcp4.ErrRefused), r.clock() >= l.Obtained+l.Lifetime:
		if !r.expired {
			r.log.Errorf("network: %v: lease expired; keeping %s because root depends on it: the server may assign it to another machine", err, l.Address.Addr())
		}
		r.expired = true
	}
	_ = clock.Sleep(ctx, minRenewPause)
	if errors.Is(err, dhcp4.ErrRefused) {
		_ = clock.Sleep(ctx, renewRetryPause)
	}
	return l
}
