package boot

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/network"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// portals lists the addresses of each target's portals, but for those that have
// a name.
func portals(targets []bootspec.Target) [][]netip.Addr {
	var out [][]netip.Addr
	for _, t := range targets {
		var addrs []netip.Addr
		for _, p := range t.Portals {
			if a, ok := p.V.Addr(); ok {
				addrs = append(addrs, a)
			}
		}
		out = append(out, addrs)
	}
	return out
}

// nameservers returns what lists the servers that there are by then: first those
// that were known when the boot went on, then those of NICs that came later.
func (m *Machine) nameservers() func() []netip.Addr {
	known, up, peer := m.spec.Nameservers, m.net.network, m.Plan.Net.PeerDNS.Or(true)
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

// ways returns what tells by which NICs beside the kernel's choice a login to a
// portal may go.
func (m *Machine) ways() func(netip.Addr) []session.Way {
	up := m.net.network
	return func(portal netip.Addr) []session.Way {
		var out []session.Way
		for _, nic := range up.Beside(portal) {
			out = append(out, session.Way{Device: nic})
		}
		return out
	}
}

// pin makes the NIC that a login went by the kernel's choice, for the logins that
// come after it.
func (m *Machine) pin(s *session.Session) {
	via, at := s.Via(), s.At().Addr()
	if via.Device == "" || at.Zone() != "" {
		return
	}
	if err := m.net.network.Pin(at, via.Device); err != nil {
		m.Log.Warnf("network: %v", err)
		return
	}
	m.Log.Infof("target %s is reached by %s", s.Target, via.Device)
	s.Unbind()
}

// dark lists the NICs of this machine's addresses if none of them has carrier.
func (m *Machine) dark() []network.Link {
	var out []network.Link
	for _, l := range m.leases() {
		if readWord("/sys/class/net/"+l.Interface, "carrier") != "0" {
			return nil
		}
		out = append(out, network.Link{Name: l.Interface})
	}
	return out
}

// anotherNIC advises to name another NIC than the one that a target was looked for
// by, where no word names one; "" if there is none.
func (m *Machine) anotherNIC() string {
	leases := m.leases()
	if m.Plan.Net.Interface.Given() || m.Plan.Net.MAC.Given() || len(leases) != 1 {
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

// leaveNetwork ends the work on the network and leaves it to the real system:
// only NICs that a session goes by are ours from then on.
func (m *Machine) leaveNetwork() {
	m.net.network.Stop() // nothing more joins: what is not up by now is the real system's
	leases := m.leases()
	if m.net.nics = m.sessionNICs(leases); len(leases) > 1 {
		m.pinBehindRouters(leases)
	}
	m.net.network.HandOver(m.net.nics)
	if len(leases) > 1 {
		m.nameMachine(m.leases()) // what came up late, too
	}
}

// sessionNICs returns the NICs that sessions go by, that of root first; none: not
// every session's is known, or there is no choice.
func (m *Machine) sessionNICs(leases []dhcp.Lease) []string {
	if len(leases) < 2 {
		return nil
	}
	var root, out []string
	for i, s := range m.sessions {
		if m.logins.state(i) == loginLost || !portalOfSession(s).IsValid() {
			continue
		}
		nic := m.nicOf(s)
		switch {
		case nic == "":
			return nil
		case m.root.OnSession(s.SID):
			root = append(root, nic)
		default:
			out = append(out, nic)
		}
	}
	return slices.Concat(root, out)
}

// nicOf returns the NIC that a session goes by, or would.
func (m *Machine) nicOf(s *session.Session) string {
	if source := s.Via().Source; source.IsValid() {
		return m.net.network.Owner(source)
	}
	return m.net.network.Toward(portalOfSession(s).Addr())
}

// pinBehindRouters lets sessions keep their router when another default route
// becomes the first.
func (m *Machine) pinBehindRouters(leases []dhcp.Lease) {
	for i, s := range m.sessions {
		at := portalOfSession(s).Addr()
		inside := func(l dhcp.Lease) bool { return l.Address.Contains(at) }
		if m.logins.state(i) == loginLost || !at.Is4() || slices.ContainsFunc(leases, inside) {
			continue
		}
		nic := m.nicOf(s)
		if len(m.net.nics) == 0 || nic == m.net.nics[0] {
			continue
		}
		if err := m.net.network.Pin(at, nic); err != nil {
			m.Log.Debugf("network: %v", err)
		}
	}
}

// ours tells whether a NIC is kept for root after the switch.
func (m *Machine) ours(nic string) bool {
	return len(m.net.nics) == 0 || slices.Contains(m.net.nics, nic)
}
