package session

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// Limits of a state, which its writer and its reader share: what the reader refuses is never
// written.
const (
	MaxStates     = 64 // sessions
	MaxPortals    = 64 // of a session
	MaxLUNs       = 64 // to be scanned for
	maxAlgorithms = 8  // of CHAP
	maxNIC        = 17 // bytes, of a MAC; a name is shorter
)

// Bounded returns the state with n portals at most, 1 or more.
func (st State) Bounded(n int) State {
	st.Portals = bounded(st.Portals, st.Portal, n)
	return st
}

// bounded returns the first n portals, which the next login tries first. The one of the last login
// is kept: if it would be cut off, it comes first.
func bounded(portals []netip.AddrPort, last netip.AddrPort, n int) []netip.AddrPort {
	if len(portals) <= n {
		return portals
	}
	if kept := portals[:n]; slices.Contains(kept, last) || !slices.Contains(portals, last) {
		return slices.Clone(kept)
	}
	return append([]netip.AddrPort{last}, portals[:n-1]...)
}

// interleave returns the first element of each list, then the second of each, and so on.
func interleave(lists [][]netip.AddrPort) []netip.AddrPort {
	var out []netip.AddrPort
	for i, more := 0, true; more; i++ {
		more = false
		for _, list := range lists {
			if i < len(list) {
				out, more = append(out, list[i]), true
			}
		}
	}
	return out
}

// check returns an error if a state must not be written or read. It contains no value, which may be
// a secret.
func (st *State) check() error {
	t, c := st.Timers, st.CHAP
	switch {
	case st.Target == "" || st.Initiator == "":
		return errors.New("without the name of a target or an initiator")
	case len(st.Portals) == 0 || len(st.Portals) > MaxPortals:
		return fmt.Errorf("%d portals, want 1 to %d", len(st.Portals), MaxPortals)
	case slices.ContainsFunc(st.Portals, func(p netip.AddrPort) bool { return !p.IsValid() }):
		return errors.New("a portal without an address")
	case len(st.UnscannedLUNs) > MaxLUNs:
		return fmt.Errorf("%d LUNs to be scanned for, limit %d", len(st.UnscannedLUNs), MaxLUNs)
	case len(st.Way.Device) >= unix.IFNAMSIZ:
		return errors.New("the name of a device is too long")
	case len(st.NIC) > maxNIC:
		return errors.New("the name of a NIC is too long")
	case max(t.Recovery, t.PingInterval, t.PingTimeout, t.Queue) > math.MaxInt32:
		return errors.New("a time above 31 bits")
	case c != nil && c.Secret.Empty():
		return errors.New("CHAP without a secret")
	case c != nil && len(c.Algorithms) > maxAlgorithms:
		return errors.New("too many CHAP algorithms")
	}
	return nil
}
