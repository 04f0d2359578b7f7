package network

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/internal/nstest"
	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

// TestMain runs the tests in namespaces of their own.
func TestMain(m *testing.M) { nstest.Main(m) }

// inNamespace runs f in a process with a network namespace of its own: goroutines may run on any
// thread.
func inNamespace(t *testing.T, f func()) {
	t.Helper()
	nstest.Run(t, syscall.CLONE_NEWNET, f)
}

// makeHardware adds the files of hardware for an interface to sys.
func makeHardware(t *testing.T, sys, name string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(sys, name, "device"), 0o700); err != nil {
		t.Fatal(err)
	}
}

// veth makes a pair, one end of which has the files of hardware in sys.
func veth(t *testing.T, sys, name string) netlink.Link {
	t.Helper()
	la := netlink.NewLinkAttrs()
	la.Name = name
	peer := name + "p"
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: la, PeerName: peer}); err != nil {
		t.Fatal(err)
	}
	makeHardware(t, sys, name)
	return linkOf(t, peer)
}

func linkOf(t *testing.T, name string) netlink.Link {
	t.Helper()
	link, err := netlink.LinkByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return link
}

// wire makes a NIC whose other end is up in another namespace, with addresses.
func wire(t *testing.T, sys, name string, addrs ...string) *lab.Namespace {
	t.Helper()
	ns, err := lab.NewNamespace()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ns.Close(); err != nil {
			t.Error(err)
		}
	})
	self, err := os.Open("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	err = ns.Do(func() error {
		la := netlink.NewLinkAttrs()
		la.Name = "srv0"
		return netlink.LinkAdd(&netlink.Veth{LinkAttrs: la, PeerName: name, PeerNamespace: netlink.NsFd(int(self.Fd()))})
	})
	if err == nil {
		err = ns.Do(func() error { return up("srv0", addrs) })
	}
	if err != nil {
		t.Fatal(err)
	}
	makeHardware(t, sys, name)
	return ns
}

func up(name string, addrs []string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	for _, a := range addrs {
		addr, err := netlink.ParseAddr(a)
		if err != nil {
			return err
		}
		addr.Flags = syscall.IFA_F_NODAD
		if err := netlink.AddrAdd(link, addr); err != nil {
			return err
		}
	}
	return netlink.LinkSetUp(link)
}

func static(iface string) bootspec.Net {
	n := bootspec.Net{
		Address: bootspec.Value[netip.Prefix]{V: netip.MustParsePrefix("10.1.1.165/26"), From: "test"},
		Gateway: bootspec.Value[netip.Addr]{V: netip.MustParseAddr("10.1.1.180"), From: "test"},
	}
	if iface != "" {
		n.Interface = bootspec.Value[string]{V: iface, From: "test"}
	}
	return n
}

// lines returns a plan with lines of ip=.
func lines(t *testing.T, texts ...string) bootspec.Net {
	t.Helper()
	var n bootspec.Net
	for _, text := range texts {
		ip, cause := bootspec.ParseIP(text)
		if cause != "" {
			t.Fatal(cause)
		}
		n.IP = append(n.IP, bootspec.Value[bootspec.IP]{V: ip, From: "ip="})
	}
	return n
}

// timeouts returns a plan's rd.net.timeout.NAME=.
func timeouts(name string, d time.Duration) []bootspec.Value[bootspec.Timeout] {
	return []bootspec.Value[bootspec.Timeout]{{V: bootspec.Timeout{Name: name, Limit: d}, From: "rd.net.timeout." + name + "="}}
}

// run starts a network, waits for it, and stops it at the end of the test.
func run(t *testing.T, cfg Config, limit time.Duration) (*Network, []dhcp.Lease, error) {
	t.Helper()
	cfg.Warn, cfg.SinceBoot = func(text string) { t.Logf("warn: %s", text) }, sinceBoot
	if report := cfg.Report; report == nil {
		cfg.Report = func(s State) { t.Logf("report: %s", s) }
	}
	n, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Undo)
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	leases, err := n.Wait(ctx)
	return n, leases, err
}

// missing starts a network that cannot get ready, waits until it reports text, and returns Wait's
// error.
func missing(t *testing.T, cfg Config, text string) (*Network, error) {
	t.Helper()
	reported := make(chan struct{})
	once := sync.OnceFunc(func() { close(reported) })
	report := func(s State) {
		t.Logf("report: %s", s)
		if strings.Contains(s.String(), text) {
			once()
		}
	}
	cfg.Report, cfg.Warn, cfg.SinceBoot = report, func(text string) { t.Logf("warn: %s", text) }, sinceBoot
	n, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Undo)
	n.mu.Lock()
	first := n.waiting // which is not reported
	n.mu.Unlock()
	report(first)
	select {
	case <-reported:
	case <-time.After(patience):
		t.Errorf("no report contains %q", text)
	}
	over, cancel := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer cancel()
	_, err = n.Wait(over)
	return n, err
}

// settled returns when the network has handled all messages so far, and their tasks have ended.
func settled(t *testing.T, n *Network, sys string) {
	t.Helper()
	veth(t, sys, "mark0") // the kernel's messages keep their order
	index := linkOf(t, "mark0").Attrs().Index
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		seen := make(chan bool)
		n.post(func() { seen <- n.unused[index] != "" })
		if <-seen {
			break
		}
		if time.Now().After(end) {
			t.Fatal("a message about a link does not come")
		}
	}
	if left := n.tasks.wait(t.Context()); left != nil {
		t.Fatalf("left %q", left)
	}
}

// sinceBoot is a clock for tests that do not use the time.
func sinceBoot() time.Duration { return time.Hour }
