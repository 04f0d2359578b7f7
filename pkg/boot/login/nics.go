package login

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs"
	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// nameservers returns what lists the servers that there are by then: first those that were known
// when the boot went on, then those of NICs that came later.
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

// ways returns what tells by which NICs beside the kernel's choice a login to a portal may go.
func (ss *Sessions) ways() func(netip.Addr) []session.Way {
	up := ss.Net.Network
	return func(portal netip.Addr) []session.Way {
		var out []session.Way
		for _, nic := range up.OtherNICs(portal) {
			out = append(out, session.Way{Device: nic})
		}
		return out
	}
}

// pin makes the NIC that a login went by the kernel's choice, for the logins that come after it.
func (ss *Sessions) pin(s *session.Session) {
	via, at := s.Via(), s.At().Addr()
	if via.Device == "" || at.Zone() != "" {
		return
	}
	if err := ss.Net.Pin(at, via.Device); err != nil {
		ss.Log.Warnf("network: %v", err)
		return
	}
	ss.Log.Infof("target %s is reached by %s", s.Target, via.Device)
	s.Unbind()
}

// anotherNIC advises to name another NIC than the one that a target was looked for by, where no
// word names one; "" if there is none.
func (ss *Sessions) anotherNIC() string {
	leases := ss.Net.Leases()
	if ss.Plan.Net.Interface.Given() || ss.Plan.Net.MAC.Given() || len(leases) != 1 {
		return ""
	}
	return anotherThan(leases[0].Interface, "/sys/class/net")
}

// anotherThan reads dir, which is /sys/class/net.
func anotherThan(nic, dir string) string {
	entries, _ := os.ReadDir(dir) // without it there is no advice
	for _, e := range entries {
		if _, err := os.Stat(filepath.Join(dir, e.Name(), "device")); err == nil && e.Name() != nic { // software devices have none
			return fmt.Sprintf("it was looked for by %s: iscsi_if=NIC, or the NIC in ip=, takes another one, such as %s", nic, e.Name())
		}
	}
	return ""
}

// LeaveNetwork ends the work on the network and leaves it to the real system. It returns the NICs
// that sessions go by, that of root first; none: all. name, which gives this machine its name, is
// called again for what came up late.
func (ss *Sessions) LeaveNetwork(root rootfs.Volume, name func([]dhcp.Lease)) []string {
	ss.Net.Stop() // nothing more joins: what is not up by now is the real system's
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

// nics returns the NICs that sessions go by, that of root first; none: not every session's is
// known, or there is no choice.
func (ss *Sessions) nics(leases []dhcp.Lease, root rootfs.Volume) []string {
	if len(leases) < 2 {
		return nil
	}
	var first, rest []string
	for i, s := range ss.list {
		if ss.logins.state(i) == loginLost || !portalOfSession(s).IsValid() {
			continue
		}
		nic := ss.nicOf(s)
		switch {
		case nic == "":
			return nil
		case root.OnSession(s.SID):
			first = append(first, nic)
		default:
			rest = append(rest, nic)
		}
	}
	return slices.Concat(first, rest)
}

// nicOf returns the NIC that a session goes by, or would.
func (ss *Sessions) nicOf(s *session.Session) string {
	if source := s.Via().Source; source.IsValid() {
		return ss.Net.NICOf(source)
	}
	return ss.Net.NICTo(portalOfSession(s).Addr())
}

// pinBehindRouters lets sessions keep their router when another default route becomes the first.
func (ss *Sessions) pinBehindRouters(leases []dhcp.Lease, nics []string) {
	for i, s := range ss.list {
		at := portalOfSession(s).Addr()
		inside := func(l dhcp.Lease) bool { return l.Address.Contains(at) }
		if ss.logins.state(i) == loginLost || !at.Is4() || slices.ContainsFunc(leases, inside) {
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
