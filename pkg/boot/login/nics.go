package login

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"github.com/iscsiroot/iscsiroot/pkg/boot/netup"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs"
	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// nameservers returns a function that lists the current servers: first those that were known at the
// end of the step "network", then those of NICs that came up later.
func (ss *Sessions) nameservers() func() []netip.Addr {
	known, up, peer := ss.Net.Spec.Nameservers, ss.Net.Network, ss.Plan.Net.PeerDNS.Or(true)
	return func() []netip.Addr {
		out := slices.Clone(known)
		for _, l := range up.Leases() {
			for _, a := range l.DNS {
				if peer && !slices.Contains(out, a) {
					out = append(out, a)
				}
			}
		}
		return out
	}
}

// unused returns why a path is not used, "" if it is. It is known once its NIC and the one that
// leads to its portal have addresses, which may be after the step "network".
func (ss *Sessions) unused(i int) string {
	targets := ss.Net.Spec.Targets
	if targets[i].Unused != "" || !targets[i].NIC.Given() {
		return targets[i].Unused
	}
	facts := bootspec.LeaseFacts(ss.Net.Leases()...)
	facts.ReadMACs(netup.MAC)
	now := slices.Clone(targets)
	ss.Plan.MarkUnused(now, facts)
	return now[i].Unused
}

// otherNICs returns a function that lists the NICs, besides the kernel's choice, by which a login
// to a portal may be tried.
func (ss *Sessions) otherNICs() func(netip.Addr) []session.Way {
	up := ss.Net.Network
	return func(portal netip.Addr) []session.Way {
		var out []session.Way
		for _, nic := range up.OtherNICs(portal) {
			out = append(out, session.Way{Device: nic})
		}
		return out
	}
}

// pin makes the NIC that a login used the kernel's choice, for later logins.
func (ss *Sessions) pin(s *session.Session) {
	via, at := s.Via(), s.At().Addr()
	if via.Device == "" || at.Zone() != "" || s.NIC() != "" { // it is bound at each login
		return
	}
	if err := ss.Net.Pin(at, via.Device); err != nil {
		ss.Log.Warnf("network: %v", err)
		return
	}
	ss.Log.Infof("target %s is reached by %s", s.Target, via.Device)
	s.Unbind()
}

// anotherNIC advises to set another NIC than the one by which the target was not reached, unless a
// parameter sets one; "" if there is none.
func (ss *Sessions) anotherNIC() string {
	leases := ss.Net.Leases()
	if ss.Plan.Net.Interface.Given() || ss.Plan.Net.MAC.Given() || len(leases) != 1 {
		return ""
	}
	return otherThan(leases[0].Interface, "/sys/class/net")
}

// otherThan is anotherNIC for a NIC. It reads dir, which is /sys/class/net.
func otherThan(nic, dir string) string {
	entries, _ := os.ReadDir(dir) // without it there is no advice
	for _, e := range entries {
		if _, err := os.Stat(filepath.Join(dir, e.Name(), "device")); err == nil && e.Name() != nic { // software devices have none
			return fmt.Sprintf("the login was tried by %s: set another NIC by iscsi_if= or ip=, such as %s", nic, e.Name())
		}
	}
	return ""
}

// LeaveNetwork ends the work on the network and leaves it to the real system. It returns the NICs
// that sessions use, that of root first; none: all. name, which sets the host name, is called again
// because of leases that were late.
func (ss *Sessions) LeaveNetwork(root rootfs.Volume, name func([]dhcp.Lease)) []string {
	ss.Net.StopKeeping(ss.awaited) // no NIC is added any more: others that are not up are left to the real system
	leases := ss.Net.Leases()
	nics := ss.nics(leases, root)
	if len(leases) > 1 {
		ss.pinBehindRouters(leases, nics)
	}
	ss.Net.HandOver(nics)
	if len(leases) > 1 {
		name(ss.Net.Leases())
	}
	return nics
}

// awaited reports whether a login that is still tried needs the NIC of a lease: the login is bound
// to that NIC, or the portal is in its network.
func (ss *Sessions) awaited(l dhcp.Lease) bool {
	return slices.ContainsFunc(ss.logins.pending(), func(i int) bool {
		s := ss.list[i]
		if nic := s.NIC(); nic != "" {
			return ss.unused(i) == "" && isNIC(nic, l)
		}
		return slices.ContainsFunc(s.KnownPortals(), func(p netip.AddrPort) bool { return l.Address.Contains(p.Addr()) })
	})
}

// isNIC reports whether a name or a MAC is that of the NIC of a lease.
func isNIC(nic string, l dhcp.Lease) bool {
	return nic == l.Interface || nic == netup.MAC(l.Interface)
}

// nics returns the NICs that sessions use, that of root first, and last those of logins that are
// still tried; none: not every session's is known, or there is only one.
func (ss *Sessions) nics(leases []dhcp.Lease, root rootfs.Volume) []string {
	if len(leases) < 2 {
		return nil
	}
	pending := ss.logins.pending()
	var first, rest, later []string
	for i, s := range ss.list {
		if ss.logins.gone(i) || !portalOfSession(s).IsValid() {
			continue
		}
		nic := ss.nicOf(s)
		switch {
		case nic == "" && s.NIC() != "": // a NIC without an address
		case nic == "":
			return nil
		case slices.Contains(pending, i):
			later = append(later, nic)
		case ss.carriesRoot(i, root):
			first = append(first, nic)
		default:
			rest = append(rest, nic)
		}
	}
	return slices.Concat(first, rest, later)
}

// nicOf returns the NIC that a session uses, or would use; "": it has no address, or none is known.
func (ss *Sessions) nicOf(s *session.Session) string {
	if source := s.Via().Source; source.IsValid() {
		return ss.Net.NICOf(source)
	}
	if nic := s.NIC(); nic != "" {
		for _, l := range ss.Net.Leases() {
			if isNIC(nic, l) {
				return l.Interface
			}
		}
		return ""
	}
	return ss.Net.NICTo(portalOfSession(s).Addr())
}

// pinBehindRouters adds routes by which sessions keep their router when another default route is
// preferred.
func (ss *Sessions) pinBehindRouters(leases []dhcp.Lease, nics []string) {
	for i, s := range ss.list {
		at := portalOfSession(s).Addr()
		inside := func(l dhcp.Lease) bool { return l.Address.Contains(at) }
		if ss.logins.gone(i) || !at.Is4() || slices.ContainsFunc(leases, inside) {
			continue
		}
		nic := ss.nicOf(s)
		if len(nics) == 0 || nic == nics[0] {
			continue
		}
		if err := ss.Net.Pin(at, nic); err != nil {
			ss.Log.Debugf("network: %v", err)
		}
	}
}
