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

// extender extends a lease: dhcp4.Renew or dhcp4.Rebind.
type extender func(ctx context.Context, cfg dhcp4.Config, l dhcp.Lease) (dhcp.Lease, error)

// Renewer renews a lease for as long as no DHCP client of the system does: without one, the server
// would assign root's address to another machine.
type Renewer struct {
	renew, rebind extender
	// clock returns the time since boot, sleep included, as Lease.Obtained.
	clock     func() time.Duration
	holder    func(dhcp.Lease) holding // how the system uses the lease
	onRenewed func(dhcp.Lease)
	// current is called with the lease as another program has renewed it.
	current func(dhcp.Lease)
	log     recovery.Logger

	passive bool // another program renews it
	expired bool
}

// Renewer returns the Renewer of the i-th uplink's lease. It calls got with each renewed lease.
func (k *Keeper) Renewer(i int, got func(dhcp.Lease)) *Renewer {
	return &Renewer{
		renew: dhcp4.Renew, rebind: dhcp4.Rebind, clock: k.clock, log: k.log, onRenewed: got,
		holder:  func(l dhcp.Lease) holding { return k.leaseHolder(i, l) },
		current: func(l dhcp.Lease) { k.setLease(i, l) },
	}
}

// Pauses of the Renewer.
const (
	renewRetryPause = time.Minute      // between requests without an answer, after rebinding began
	minRenewPause   = 2 * time.Second  // between any two
	renewCheckEvery = 30 * time.Second // between checks whether another program still renews it
)

// Run renews the lease until ctx ends.
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

// renewedBy returns a lease that another program renews. Where the address has no lifetime, at
// least an eighth of the lease is left (RFC 2131 section 4.4.5, T2).
func renewedBy(l dhcp.Lease, h holding, now time.Duration) dhcp.Lease {
	if h.left == dhcp.Infinite {
		l.Obtained = max(l.Obtained, now-l.Lifetime/8*7)
	}
	return l
}

// extend sends a request to the server that gave the lease, and later to any (RFC 2131 section
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
