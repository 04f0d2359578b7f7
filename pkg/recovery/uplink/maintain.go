package uplink

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/recovery"
)

// Maintain checks the uplinks when that is due, until ctx ends.
func (k *Keeper) Maintain(ctx context.Context) {
	look := time.NewTimer(0)
	defer look.Stop()
	for {
		select {
		case <-k.wake:
			look.Reset(k.check())
		case <-look.C:
			look.Reset(k.check())
		case index := <-k.reprobe:
			k.reprobeNeighbours(index)
		case <-ctx.Done():
			return
		}
	}
}

// check checks all uplinks.
func (k *Keeper) check() time.Duration {
	k.mu.Lock()
	a := &snapshot{nic: k.nic, log: k.log, now: k.now(), boot: k.clock(), sessions: k.uses}
	for i, l := range k.leases {
		k.uplinks[i].Lease = l
		delete(k.leases, i)
	}
	k.mu.Unlock()
	for _, u := range k.uplinks {
		if u.want().IsValid() {
			a.boots = append(a.boots, u.want().Addr())
		}
	}
	next := recovery.SurveyEvery
	for _, u := range k.uplinks {
		next = min(next, u.check(a))
	}
	k.publish(a)
	k.changed()
	return next
}

// reprobeNeighbours has the kernel solicit the neighbours behind an uplink immediately. Without a
// carrier none answered, and the kernel solicits once a second (net/core/neighbour.c:
// neigh_timer_handler): a new connection would wait for the next time.
func (k *Keeper) reprobeNeighbours(index int) {
	var asked []int
	for _, u := range k.uplinks {
		at := u.place.top().index
		if !u.place.has(index) || slices.Contains(asked, at) {
			continue
		}
		asked = append(asked, at)
		if err := k.nic.reprobeNeighbours(at); err != nil {
			k.log.Warnf("network: neighbours of interface %d: %v", at, err)
		}
	}
}

// uplinkReport is the state of an uplink for the report, and for the next worker.
type uplinkReport struct {
	name       string
	gone, lost bool
	temporary  bool // the address is temporary, and there are others
	putBack    int
	place      string         // the interface with the address; "": its own
	device     string         // the same, as it is named now; "": not known
	now        []netip.Prefix // that the place has; nil: not checked yet
	uplink     Uplink
}

// publish stores the state of the uplinks for other goroutines.
func (k *Keeper) publish(a *snapshot) {
	var all []uplinkReport
	for _, u := range k.uplinks {
		s := uplinkReport{name: u.name, gone: u.gone, lost: u.lost >= 0, putBack: u.putBack, temporary: u.hasOthers(a), now: []netip.Prefix{}, uplink: u.Uplink}
		if len(u.place.chain) > 1 {
			s.place = u.place.top().name
		}
		if len(u.place.chain) > 0 {
			s.device = u.place.top().name
		}
		if u.want().IsValid() {
			s.now = append(s.now, a.globalAddresses(u.place.top().index, u.want().Addr().Is6())...)
		}
		all = append(all, s)
	}
	out, homes := waysOf(a, k.uplinks), a.homes()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.reports, k.ways, k.homes = all, out, homes
}

// shown returns the state of the uplinks as of the last check.
func (k *Keeper) shown() []uplinkReport {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.reports // never written to once it is published
}

// UpdateState sets the part of uplinks that has changed, for the next worker, and reports whether
// that is new.
func (k *Keeper) UpdateState(uplinks []Uplink) bool {
	fresh := false
	for i, s := range k.shown() {
		u := &uplinks[i]
		fresh = fresh || u.Index != s.uplink.Index || u.Identity != s.uplink.Identity || u.Temporary != s.uplink.Temporary
		u.Index, u.Identity, u.Temporary = s.uplink.Index, s.uplink.Identity, s.uplink.Temporary
	}
	return fresh
}
