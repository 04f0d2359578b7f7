package login

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
	"github.com/iscsiroot/iscsiroot/pkg/boot/netup"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/internal/nstest"
	"github.com/iscsiroot/iscsiroot/pkg/internal/steptest"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/network"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs"
	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// inOwnNetwork runs f in a process with a network and a host name of its own, whose /etc is empty.
func inOwnNetwork(t *testing.T, f func()) {
	t.Helper()
	nstest.Run(t, unix.CLONE_NEWNET|unix.CLONE_NEWNS|unix.CLONE_NEWUTS, func() {
		if err := unix.Mount("test", "/etc", "tmpfs", 0, ""); err != nil {
			t.Fatal(err)
		}
		f()
	})
}

// twoNICs is a machine with the NICs a0, by which the kernel sends to what is in neither network,
// and b0. Both are up.
func twoNICs(t *testing.T) *Sessions {
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
	return New(Config{Net: &netup.Result{Network: n}, Log: &steptest.Recorder{}})
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

// rootOn returns root on a disk of the i-th session.
func (ss *Sessions) rootOn(i int) (root rootfs.Volume) {
	for at, s := range ss.list {
		s.SID = uint32(7 + at)
	}
	ss.Net.Spec.Targets = make([]bootspec.Target, len(ss.list))
	disk := &blockdev.Device{Name: "sda", LUN: &blockdev.LUN{Session: ss.list[i].SID}}
	root.Device = &blockdev.Device{Name: "sda1", Kind: blockdev.KindPartition, Parents: []*blockdev.Device{disk}}
	return root
}

// The NICs of the sessions are known by their source addresses, or by the kernel's routes; that of
// root comes first.
func TestSessionNICs(t *testing.T) {
	inOwnNetwork(t, func() {
		ss := twoNICs(t)
		leases := ss.Net.Leases()
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
			ss.list, ss.logins = tt.sessions, nil
			if tt.states != nil {
				ss.logins = &logins{states: tt.states}
			}
			root := ss.rootOn(tt.root)
			if got := strings.Join(ss.nics(leases, root), " "); got != tt.want {
				t.Errorf("%s: NICs %q, want %q", tt.name, got, tt.want)
			}
			if got := ss.nics(leases[:1], root); got != nil {
				t.Errorf("%s: NICs %q without a choice", tt.name, got)
			}
		}
	})
}

// A session that is not logged in yet is one of root's if it is a path to the target of root.
func TestCarriesRoot(t *testing.T) {
	ss := New(Config{Net: &netup.Result{}})
	ss.list = []*session.Session{sessionAt("10.2.0.9"), {}, {}, {}}
	root := ss.rootOn(0)
	for i, name := range []string{"iqn.x:a", "iqn.x:a", "iqn.x:b", "iqn.x:a"} {
		ss.Net.Spec.Targets[i] = bootspec.Target{Name: bootspec.Value[string]{V: name}, Multipath: bootspec.Value[bool]{V: i < 3}}
	}
	for i, want := range []bool{true, true, false, false} {
		if got := ss.carriesRoot(i, root); got != want {
			t.Errorf("session %d carries root: %v", i, got)
		}
	}
	for i := range 2 {
		ss.Net.Spec.Targets[i].LUN = bootspec.Value[iscsi.LUN]{V: iscsi.MakeLUN(uint16(i)), From: "iscsi_lun="}
	}
	if ss.carriesRoot(1, root) {
		t.Error("session 1 has another LUN, and carries root")
	}
}

// hosts lists the routes to single hosts that the NICs' leases have.
func (ss *Sessions) hosts() string {
	var out []string
	for _, l := range ss.Net.Leases() {
		for _, r := range l.Routes {
			if r.To.IsSingleIP() {
				out = append(out, l.Interface+": "+r.String())
			}
		}
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// Only a session behind the router of a NIC that is not root's gets a route of its own.
func TestPinBehindRouters(t *testing.T) {
	inOwnNetwork(t, func() {
		ss := twoNICs(t)
		ss.list = []*session.Session{sessionAt("192.0.2.7"), sessionAt("10.2.0.9"), sessionAt("192.0.2.8"), sessionBy("192.0.2.9", "10.3.0.2"), sessionAt("fd09::1")}
		ss.logins = &logins{states: []loginState{loginUp, loginUp, loginLost, loginUp, loginPending}}
		ss.pinBehindRouters(ss.Net.Leases(), nil)
		if got := ss.hosts(); got != "" {
			t.Errorf("all NICs stay, and routes are %s", got)
		}
		ss.pinBehindRouters(ss.Net.Leases(), []string{"b0", "a0"})
		if got := ss.hosts(); got != "a0: 192.0.2.7/32 via 10.2.0.1" {
			t.Errorf("routes %s", got)
		}
	})
}

// A login by another NIC than the kernel's choice makes that NIC the choice. Where this fails, the
// session stays bound to its NIC.
func TestPin(t *testing.T) {
	inOwnNetwork(t, func() {
		ss := twoNICs(t)
		log := &steptest.Recorder{}
		ss.Log = log
		for _, tt := range []struct{ addr, device, bound, routes, log string }{
			{"192.0.2.6", "", "", "", ""},
			{"fe80::1%b0", "b0", "b0", "", ""},
			{"fd09::1", "b0", "b0", "", "network: add route to fd09::1 on b0: it has no address that leads there"},
			{"192.0.2.7", "b0", "", "b0: 192.0.2.7/32 via 10.3.0.1", "target iqn.x:192.0.2.7 is reached by b0"},
		} {
			before := len(log.Lines())
			s := sessionAt(tt.addr)
			s.Way.Device = tt.device
			ss.pin(s)
			said := strings.Join(log.Lines()[before:], "\n")
			if !strings.Contains(said, tt.log) || tt.log == "" && said != "" {
				t.Errorf("%s: log %q", tt.addr, said)
			}
			if got := s.Via().Device; got != tt.bound || ss.hosts() != tt.routes {
				t.Errorf("%s: bound to %q, routes %s", tt.addr, got, ss.hosts())
			}
		}
		if got := ss.Net.NICTo(netip.MustParseAddr("192.0.2.7")); got != "b0" {
			t.Errorf("the kernel sends by %s", got)
		}
	})
}

// The sessions' NICs are found, and what is behind another router is pinned, before root's NIC gets
// the default route; the host name is set after that.
func TestLeaveNetwork(t *testing.T) {
	inOwnNetwork(t, func() {
		ss := twoNICs(t)
		stage := netup.New(netup.Config{Log: ss.Log, Plan: &bootspec.Plan{}})
		stage.Name(ss.Net.Leases())
		ss.list = []*session.Session{sessionAt("192.0.2.7"), sessionAt("10.3.0.9")}
		nics := ss.LeaveNetwork(ss.rootOn(1), stage.Name)
		if leases := ss.Net.Leases(); len(leases) != 2 || leases[0].Interface != "b0" || !slices.Equal(nics, []string{"b0", "a0"}) {
			t.Errorf("NICs %q, leases %v", nics, leases)
		}
		for to, want := range map[string]string{"192.0.2.7": "a0", "198.51.100.1": "b0"} {
			if got := ss.Net.NICTo(netip.MustParseAddr(to)); got != want {
				t.Errorf("the route to %s is by %s, want %s", to, got, want)
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

// boundTo is a session whose login by a NIC is still tried.
func boundTo(nic bootspec.NIC, addr string) *session.Session {
	var c session.Config
	c.Target.Name.V = "iqn.x:" + addr
	c.Target.NIC = bootspec.Value[bootspec.NIC]{V: nic, From: "netroot="}
	c.Target.Portals = []bootspec.Value[bootspec.Portal]{{V: bootspec.Portal{Host: addr, Port: 3260}, From: "netroot="}}
	return session.New(&kernel.Session{}, c)
}

// The NIC of a login that is still tried is kept, after those of the sessions that are there.
func TestLeaveNetworkAwaited(t *testing.T) {
	inOwnNetwork(t, func() {
		if err := unix.Mount("test", "/sys", "sysfs", 0, ""); err != nil { // of this network
			t.Fatal(err)
		}
		ss := twoNICs(t)
		mac := netup.MAC("a0")
		for _, tt := range []struct {
			name    string
			pending *session.Session
			want    string
			awaited bool // a NIC a0 that is not up
		}{
			{"in its network", sessionAt("10.2.0.9"), "b0 a0", true},
			{"in another network", sessionAt("10.3.0.8"), "b0 b0", false},
			{"bound to its name", boundTo(bootspec.NIC{Name: "a0"}, "192.0.2.7"), "b0 a0", true},
			{"bound to its MAC", boundTo(bootspec.NIC{MAC: mac}, "192.0.2.7"), "b0 a0", true},
			{"bound to another", boundTo(bootspec.NIC{Name: "b0"}, "10.2.0.9"), "b0 b0", false},
			{"bound to one that is absent", boundTo(bootspec.NIC{Name: "c0"}, "10.2.0.9"), "b0", false},
		} {
			ss.list = []*session.Session{tt.pending, sessionAt("10.3.0.9")}
			ss.logins = &logins{states: []loginState{loginPending, loginUp}}
			leases, root := ss.Net.Leases(), ss.rootOn(1)
			if got := strings.Join(ss.nics(leases, root), " "); got != tt.want {
				t.Errorf("%s: NICs %q, want %q", tt.name, got, tt.want)
			}
			if got := ss.awaited(leases[0]); got != tt.awaited {
				t.Errorf("%s: awaited %v", tt.name, got)
			}
		}
	})
}
