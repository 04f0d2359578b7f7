package boot

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/internal/nstest"
	"github.com/iscsiroot/iscsiroot/pkg/network"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// inOwnNetwork runs f in a process with a network and a host name of its own, whose /etc
// is empty.
func inOwnNetwork(t *testing.T, f func()) {
	t.Helper()
	nstest.Run(t, unix.CLONE_NEWNET|unix.CLONE_NEWNS|unix.CLONE_NEWUTS, func() {
		if err := unix.Mount("test", "/etc", "tmpfs", 0, ""); err != nil {
			t.Fatal(err)
		}
		f()
	})
}

// twoNICs is a machine with the NICs a0, by which the kernel sends to what is in
// neither network, and b0. Both are up.
func twoNICs(t *testing.T) *Machine {
	t.Helper()
	cfg := network.Config{SysClassNet: t.TempDir(), OthersLimit: time.Hour}
	for _, text := range []string{"10.2.0.2::10.2.0.1:24:one:a0:none:10.2.0.53", "10.3.0.2::10.3.0.1:24:two:b0:none:10.3.0.53"} {
		ip, cause := bootspec.ParseIP(text)
		if cause != "" {
			t.Fatal(cause)
		}
		cfg.Net.IP = append(cfg.Net.IP, bootspec.Value[bootspec.IP]{V: ip, From: "ip="})
		attrs := netlink.NewLinkAttrs()
		attrs.Name = ip.Device
		if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: ip.Device + "p"}); err != nil {
			t.Fatal(err)
		}
		peer, err := netlink.LinkByName(ip.Device + "p")
		if err == nil {
			err = netlink.LinkSetUp(peer)
		}
		if err = errors.Join(err, os.MkdirAll(filepath.Join(cfg.SysClassNet, ip.Device, "device"), 0o700)); err != nil {
			t.Fatal(err)
		}
	}
	n, err := network.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Undo)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if leases, err := n.Wait(ctx); err != nil || len(leases) != 2 {
		t.Fatalf("leases %v, %v", leases, err)
	}
	return &Machine{net: networkState{network: n}}
}

// sessionAt is a session that is logged in at an address.
func sessionAt(addr string) *session.Session {
	portal := netip.AddrPortFrom(netip.MustParseAddr(addr), 3260)
	return &session.Session{Record: session.Record{Target: "iqn.x:" + addr, Portal: portal, Portals: []netip.AddrPort{portal}}}
}

// sessionBy is such a session whose connection has a source address.
func sessionBy(addr, source string) *session.Session {
	s := sessionAt(addr)
	s.Way.Source = netip.MustParseAddr(source)
	return s
}

// rootOn puts root on a disk of the i-th session.
func (m *Machine) rootOn(i int) {
	for at, s := range m.sessions {
		s.SID = uint32(7 + at)
	}
	disk := &blockdev.Device{Name: "sda", LUN: &blockdev.LUN{Session: m.sessions[i].SID}}
	m.root.Device = &blockdev.Device{Name: "sda1", Kind: blockdev.KindPartition, Parents: []*blockdev.Device{disk}}
}

// The NICs of the sessions are known by their source addresses, or by the kernel's
// routes; that of root comes first.
func TestSessionNICs(t *testing.T) {
	inOwnNetwork(t, func() {
		m := twoNICs(t)
		leases := m.leases()
		for _, tt := range []struct {
			name     string
			sessions []*session.Session
			root     int
			states   []loginState
			want     string
		}{
			{"root on the first", []*session.Session{sessionAt("10.2.0.9"), sessionAt("10.3.0.9")}, 0, nil, "a0 b0"},
			{"root on the second", []*session.Session{sessionAt("10.2.0.9"), sessionAt("10.3.0.9")}, 1, nil, "b0 a0"},
			{"one NIC of two", []*session.Session{sessionAt("10.3.0.8"), sessionAt("10.3.0.9")}, 1, nil, "b0 b0"},
			{"a source", []*session.Session{sessionAt("192.0.2.7"), sessionBy("192.0.2.7", "10.3.0.2")}, 1, nil, "b0 a0"},
			{"a lost target", []*session.Session{sessionAt("10.2.0.9"), sessionAt("10.3.0.9")}, 1, []loginState{loginLost, loginUp}, "b0"},
			{"a target by name that is not there", []*session.Session{{}, sessionAt("10.3.0.9")}, 1, []loginState{loginPending, loginUp}, "b0"},
			{"a NIC that is not known", []*session.Session{sessionAt("fd09::1"), sessionAt("10.3.0.9")}, 1, nil, ""},
		} {
			m.sessions, m.logins = tt.sessions, nil
			if tt.states != nil {
				m.logins = &logins{states: tt.states}
			}
			m.rootOn(tt.root)
			if got := strings.Join(m.sessionNICs(leases), " "); got != tt.want {
				t.Errorf("%s: NICs %q, want %q", tt.name, got, tt.want)
			}
			if got := m.sessionNICs(leases[:1]); got != nil {
				t.Errorf("%s: NICs %q without a choice", tt.name, got)
			}
		}
	})
}

// hosts lists the routes to single hosts that the NICs' leases have.
func (m *Machine) hosts() string {
	var out []string
	for _, l := range m.leases() {
		for _, r := range l.Routes {
			if r.To.IsSingleIP() {
				out = append(out, l.Interface+": "+r.String())
			}
		}
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// Only a session behind the router of a NIC that is not root's gets a route of its
// own.
func TestPinBehindRouters(t *testing.T) {
	inOwnNetwork(t, func() {
		m := twoNICs(t)
		m.sessions = []*session.Session{sessionAt("192.0.2.7"), sessionAt("10.2.0.9"), sessionAt("192.0.2.8"), sessionBy("192.0.2.9", "10.3.0.2"), sessionAt("fd09::1")}
		m.logins = &logins{states: []loginState{loginUp, loginUp, loginLost, loginUp, loginPending}}
		m.pinBehindRouters(m.leases())
		if got := m.hosts(); got != "" {
			t.Errorf("all NICs stay, and routes are %s", got)
		}
		m.net.nics = []string{"b0", "a0"}
		m.pinBehindRouters(m.leases())
		if got := m.hosts(); got != "a0: 192.0.2.7/32 via 10.2.0.1" {
			t.Errorf("routes %s", got)
		}
	})
}

// A login by another NIC than the kernel's choice makes that the choice. Where it
// cannot, the session stays bound to its NIC.
func TestPin(t *testing.T) {
	inOwnNetwork(t, func() {
		m := twoNICs(t)
		log, text := fileLog(t)
		m.Log = log
		for _, tt := range []struct{ addr, device, bound, routes, log string }{
			{"192.0.2.6", "", "", "", ""},
			{"fe80::1%b0", "b0", "b0", "", ""},
			{"fd09::1", "b0", "b0", "", "network: add route to fd09::1 on b0: it has no address that leads there"},
			{"192.0.2.7", "b0", "", "b0: 192.0.2.7/32 via 10.3.0.1", "target iqn.x:192.0.2.7 is reached by b0"},
		} {
			before := len(text())
			s := sessionAt(tt.addr)
			s.Way.Device = tt.device
			m.pin(s)
			said := text()[before:]
			if !strings.Contains(said, tt.log) || tt.log == "" && said != "" {
				t.Errorf("%s: log %q", tt.addr, said)
			}
			if got := s.Via().Device; got != tt.bound || m.hosts() != tt.routes {
				t.Errorf("%s: bound to %q, routes %s", tt.addr, got, m.hosts())
			}
		}
		if got := m.net.network.Toward(netip.MustParseAddr("192.0.2.7")); got != "b0" {
			t.Errorf("the kernel sends by %s", got)
		}
	})
}

// The sessions' NICs are found, and what is behind another router is pinned, before
// root's NIC gets the default route; the machine is named after that.
func TestLeaveNetwork(t *testing.T) {
	inOwnNetwork(t, func() {
		m := twoNICs(t)
		m.nameMachine(m.leases())
		m.sessions = []*session.Session{sessionAt("192.0.2.7"), sessionAt("10.3.0.9")}
		m.rootOn(1)
		m.leaveNetwork()
		if leases := m.leases(); len(leases) != 2 || leases[0].Interface != "b0" || !slices.Equal(m.net.nics, []string{"b0", "a0"}) {
			t.Errorf("NICs %q, leases %v", m.net.nics, leases)
		}
		for to, want := range map[string]string{"192.0.2.7": "a0", "198.51.100.1": "b0"} {
			if got := m.net.network.Toward(netip.MustParseAddr(to)); got != want {
				t.Errorf("the way to %s is by %s, want %s", to, got, want)
			}
		}
		b, err := os.ReadFile("/etc/resolv.conf")
		if string(b) != "nameserver 10.3.0.53\nnameserver 10.2.0.53\n" {
			t.Errorf("name servers %q, %v", b, err)
		}
		if name, err := os.Hostname(); name != "two" {
			t.Errorf("host name %q, %v", name, err)
		}
	})
}

// What a NIC told that is dropped is not left to others, and a file of the image's
// stays.
func TestNameMachine(t *testing.T) {
	inOwnNetwork(t, func() {
		const path = "/etc/resolv.conf"
		first := dhcp.Lease{Interface: "a0", Domain: "a.example", Search: []string{"b.example"}, DNS: []netip.Addr{netip.MustParseAddr("10.2.0.53")}}
		second := dhcp.Lease{Interface: "b0", Domain: "a.example", Search: []string{"c.example", "b.example"}, DNS: first.DNS}
		third := dhcp.Lease{Interface: "c0"}
		m := &Machine{}
		m.nameMachine([]dhcp.Lease{third})
		if _, err := os.Stat(path); err == nil {
			t.Error("a file with nothing to write")
		}
		m.nameMachine([]dhcp.Lease{first, second, third})
		if b, err := os.ReadFile(path); string(b) != "search a.example b.example c.example\nnameserver 10.2.0.53\n" {
			t.Errorf("%q, %v", b, err)
		}
		m.nameMachine([]dhcp.Lease{third})
		if b, err := os.ReadFile(path); err != nil || len(b) > 0 {
			t.Errorf("left %q, %v", b, err)
		}
		if err := os.WriteFile(path, []byte("of the image"), 0o644); err != nil {
			t.Fatal(err)
		}
		(&Machine{}).nameMachine([]dhcp.Lease{first})
		if b, err := os.ReadFile(path); string(b) != "of the image" {
			t.Errorf("%q, %v", b, err)
		}
	})
}
