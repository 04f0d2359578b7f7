package uplink

import (
	"net/netip"
	"slices"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/recovery"
	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// sessionUse is the state of a session, on the keeper's clock.
type sessionUse struct {
	since  time.Duration // since when it is down; -1: it is up
	source netip.Addr    // of its connection; not valid: not known
}

type sessionUses []sessionUse

// down returns since when a session is down that the boot's address want may recover: not one of
// another family, or one that used another of the boot's addresses.
func (u sessionUses) down(want netip.Addr, boots []netip.Addr) (since time.Duration, ok bool) {
	for _, s := range u {
		known := s.source.IsValid()
		if s.since < 0 || known && (s.source.Is6() != want.Is6() || s.source != want && slices.Contains(boots, s.source)) {
			continue
		}
		if !ok || s.since < since {
			since, ok = s.since, true
		}
	}
	return since, ok
}

// unused reports whether all sessions are up and use other addresses.
func (u sessionUses) unused(want netip.Addr) bool {
	return !slices.ContainsFunc(u, func(s sessionUse) bool { return s.since >= 0 || !s.source.IsValid() || s.source == want })
}

// usesSource reports whether a session's connection is, or was, from an address.
func (u sessionUses) usesSource(addr netip.Addr) bool {
	return slices.ContainsFunc(u, func(s sessionUse) bool { return s.source == addr })
}

// SetSessions sets the state of the sessions. The agent's goroutine calls it.
func (k *Keeper) SetSessions(all []recovery.Status) {
	var next sessionUses
	for _, s := range all {
		if s.Ended {
			continue
		}
		u := sessionUse{since: -1, source: s.Source.Unmap()}
		if !s.Up {
			u.since = k.now() - s.Tried
		}
		next = append(next, u)
	}
	k.mu.Lock()
	same := slices.EqualFunc(k.uses, next, func(a, b sessionUse) bool { return a.source == b.source && (a.since < 0) == (b.since < 0) })
	k.uses = next
	k.mu.Unlock()
	if !same {
		k.wakeMaintain()
	}
}

// maxSources is how many addresses a connection may be tried from.
const maxSources = 8

// Ways lists how a connection may leave the machine, as of the last check: as the kernel chooses,
// by the VRFs that an uplink is in, and from each address. It sends the kernel no request. Any
// goroutine may call it, and Temporary.
func (k *Keeper) Ways() []session.Way {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.ways)
}

// Temporary lists the addresses that are to be removed again: there are others in their place.
func (k *Keeper) Temporary() []netip.Addr {
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []netip.Addr
	for _, s := range k.reports {
		if s.temporary {
			out = append(out, s.uplink.want().Addr())
		}
	}
	return out
}

// waysOf makes that list. A single address is the kernel's choice anyway. Temporary addresses come
// last.
func waysOf(a *snapshot, uplinks []*uplinkState) []session.Way {
	out := []session.Way{{}}
	devices := map[int]string{} // VRFs, by the interface in them
	var families []bool
	for _, k := range uplinks {
		if vrf := k.place.vrf(); vrf != "" {
			devices[k.place.top().index] = vrf
			if w := (session.Way{Device: vrf}); !slices.Contains(out, w) {
				out = append(out, w)
			}
		}
		// A link-local portal has the name of the boot's interface.
		if top := k.place.top(); top.name != k.Lease.Interface && k.want().Addr().Is6() {
			if w := (session.Way{Device: top.name}); !slices.Contains(out, w) {
				out = append(out, w)
			}
		}
		if v6 := k.want().Addr().Is6(); k.want().IsValid() && !slices.Contains(families, v6) {
			families = append(families, v6)
		}
	}
	beside := slices.ContainsFunc(uplinks, func(k *uplinkState) bool { return k.hasOthers(a) })
	var first, last []session.Way
	for _, v6 := range families {
		for _, o := range a.addresses(v6) {
			inner := beside && !a.external(o.index) && !slices.ContainsFunc(uplinks, func(k *uplinkState) bool { return k.place.has(o.index) })
			if !o.global() || inner {
				continue
			}
			w := session.Way{Device: devices[o.index], Source: o.Addr()}
			if slices.ContainsFunc(uplinks, func(k *uplinkState) bool { return k.Temporary && k.want().Addr() == o.Addr() }) {
				last = append(last, w)
			} else {
				first = append(first, w)
			}
		}
	}
	if all := append(first, last...); len(all) > 1 {
		out = append(out, all[:min(len(all), maxSources)]...)
	}
	return out
}
