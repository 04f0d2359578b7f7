package session

import (
	"net"
	"net/netip"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
)

// Way is how a connection leaves this machine. The zero value leaves both to the kernel.
type Way struct {
	// Device is the interface that the socket is bound to (socket(7), SO_BINDTODEVICE), as a
	// VRF needs it; "": none. It is then the zone of link-local portals: the interface of the
	// boot may have another name now, or may be a port of a bridge.
	Device string
	// Source is the local address; not valid: the kernel chooses.
	Source netip.Addr
}

// Via returns how the connection of the last login leaves this machine: the device that it is bound
// to, and its local address. It is the zero value if there was no login.
func (s *Session) Via() Way {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Way
}

// UpdateVia reads from the kernel the local address of the current connection, which another
// program may have made, perhaps by one of the ways. Via does not change if the kernel does not
// report it.
func (s *Session) UpdateVia(ways []Way) { s.updateVia("/sys", ways) }

// updateVia reads sysfs at sys.
func (s *Session) updateVia(sys kernel.Sysfs, ways []Way) {
	text, err := sys.Host(s.HostNo, "ipaddress")
	if err != nil {
		return
	}
	addr, err := netip.ParseAddr(text)
	s.mu.Lock()
	defer s.mu.Unlock()
	if addr = addr.Unmap(); err != nil || addr.IsUnspecified() || addr == s.Way.Source.WithZone("") {
		return
	}
	s.Way = Way{Source: addr}
	if i := slices.IndexFunc(ways, func(w Way) bool { return w.Source == addr }); i >= 0 {
		s.Way = ways[i]
	}
}

// suits reports whether the way and an address have the same address family.
func (w Way) suits(addr netip.Addr) bool {
	return !w.Source.IsValid() || w.Source.Unmap().Is4() == addr.Unmap().Is4()
}

// zoned adds the zone of this way to a link-local portal.
func (w Way) zoned(p netip.AddrPort) netip.AddrPort {
	if w.Device == "" || !p.Addr().Is6() || !p.Addr().IsLinkLocalUnicast() {
		return p
	}
	return netip.AddrPortFrom(p.Addr().WithZone(w.Device), p.Port())
}

// dialer returns a dialer whose sockets are bound to this way.
func (w Way) dialer() net.Dialer {
	d := net.Dialer{KeepAlive: -1} // NOPs replace it
	if w.Source.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(w.Source, 0))
	}
	if w.Device != "" {
		d.Control = func(_, _ string, raw syscall.RawConn) error {
			var err error
			if cerr := raw.Control(func(fd uintptr) { err = unix.BindToDevice(int(fd), w.Device) }); cerr != nil {
				return cerr
			}
			return err
		}
	}
	return d
}

// local returns the local address of a connection.
func local(conn net.Conn) netip.Addr {
	a, ok := conn.LocalAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return a.AddrPort().Addr().Unmap()
}

// path is one way to one portal.
type path struct {
	way  Way
	addr netip.AddrPort
}

// samePortal reports whether two paths lead to the same portal. A way by a device gives a
// link-local portal another zone.
func (p path) samePortal(q path) bool {
	if p.way.Device == "" && q.way.Device == "" {
		return p.addr == q.addr
	}
	return unzoned(p.addr) == unzoned(q.addr)
}

func unzoned(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().WithZone(""), a.Port())
}

// pathsTo returns the paths of a login: those by the session's NIC, or the kernel's choice to all
// portals, and then the other ways to each.
func (s *Session) pathsTo(addrs []netip.AddrPort) ([]path, error) {
	if s.nic != "" {
		ways, err := s.allowed(nil)
		return paths(ways, addrs), err
	}
	out := plain(addrs)
	if s.config.Ways == nil {
		return out, nil
	}
	for _, a := range addrs {
		for _, w := range s.config.Ways(a.Addr()) {
			if len(out) < maxPaths {
				out = append(out, path{w, w.zoned(a)})
			}
		}
	}
	return out, nil
}

// Unbind removes the interface of the last login, because the kernel's own choice is that interface
// now. A session with a NIC of its own stays bound to it.
func (s *Session) Unbind() {
	if s.nic != "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Way.Device = ""
}

// maxPaths bounds the paths by other ways than the kernel's own choice.
const maxPaths = 32

// plain returns paths by the kernel's choice.
func plain(addrs []netip.AddrPort) []path {
	out := make([]path, len(addrs))
	for i, a := range addrs {
		out[i].addr = a
	}
	return out
}

// paths returns the ways to the portals in the order in which they are tried: the kernel's own
// choice to all portals first, if it is among the ways, then the others, each to all portals.
// Without ways it is the kernel's choice alone.
func paths(ways []Way, addrs []netip.AddrPort) []path {
	if len(ways) == 0 {
		return plain(addrs)
	}
	var out []path
	if slices.Contains(ways, Way{}) {
		out = plain(addrs)
	}
	for _, w := range ways {
		for _, a := range addrs {
			p := path{w, w.zoned(a)}
			if w.suits(a.Addr()) && len(out) < maxPaths && !slices.Contains(out, p) {
				out = append(out, p)
			}
		}
	}
	return out
}

// pathsOrPlain returns the kernel's choice where no way has a portal's address family.
func pathsOrPlain(ways []Way, addrs []netip.AddrPort) []path {
	if out := paths(ways, addrs); len(out) > 0 {
		return out
	}
	return plain(addrs)
}
