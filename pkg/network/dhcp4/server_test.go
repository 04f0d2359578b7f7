package dhcp4_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/vishvananda/netlink"

	"github.com/iscsiroot/iscsiroot/pkg/internal/nstest"
	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp4"
	"github.com/iscsiroot/iscsiroot/pkg/runstate"
)

// TestMain runs the tests away from the host.
func TestMain(m *testing.M) { nstest.Main(m) }

// wire is a server's and a client's namespace with a wire between them.
type wire struct {
	server, client *lab.Namespace
	mac            []byte
}

func newWire(t *testing.T) *wire {
	t.Helper()
	t.Parallel() // they mostly wait
	w := &wire{}
	for _, ns := range []**lab.Namespace{&w.server, &w.client} {
		var err error
		if *ns, err = lab.NewNamespace(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := (*ns).Close(); err != nil {
				t.Error(err)
			}
		})
	}
	if err := w.server.AddVeth("srv0", w.client, "eth0"); err != nil {
		t.Fatal(err)
	}
	w.do(t, w.server, func() error {
		link, err := netlink.LinkByName("srv0")
		if err != nil {
			return err
		}
		return errors.Join(addAddr(link, "10.9.0.1/24"), netlink.LinkSetUp(link))
	})
	w.do(t, w.client, func() error {
		link, err := netlink.LinkByName("eth0")
		if err == nil {
			err = netlink.LinkSetUp(link)
		}
		if err == nil {
			w.mac = link.Attrs().HardwareAddr
		}
		return err
	})
	return w
}

func (w *wire) do(t *testing.T, ns *lab.Namespace, f func() error) {
	t.Helper()
	if err := ns.Do(f); err != nil {
		t.Fatal(err)
	}
}

func addAddr(link netlink.Link, prefix string) error {
	addr, err := netlink.ParseAddr(prefix)
	if err != nil {
		return err
	}
	return netlink.AddrAdd(link, addr)
}

func (w *wire) config() dhcp4.Config {
	return dhcp4.Config{Interface: "eth0", MAC: w.mac, HostName: "boot1", SinceBoot: sinceBoot}
}

// acquire runs Acquire on the client's side.
func (w *wire) acquire(t *testing.T, cfg dhcp4.Config, limit time.Duration) (l dhcp.Lease, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	w.do(t, w.client, func() error {
		conn, operr := dhcp4.Open("eth0")
		if operr != nil {
			return operr
		}
		l, err = dhcp4.Acquire(ctx, recorder{conn}, cfg)
		return nil
	})
	return l, err
}

// recorder writes a real server's messages to the directory $DHCP_RECORD.
type recorder struct{ dhcp4.Conn }

func (r recorder) Receive(deadline time.Time) ([]byte, error) {
	b, err := r.Conn.Receive(deadline)
	if dir := os.Getenv("DHCP_RECORD"); dir != "" && err == nil {
		if m, perr := dhcpv4.FromBytes(b); perr == nil {
			_ = os.WriteFile(dir+"/dnsmasq-"+strings.ToLower(m.MessageType().String())+".bin", b, 0o644)
		}
	}
	return b, err
}

const rootPath = "iscsi:10.9.0.1:::1:iqn.2007-01.com.example:storage.disk1"

// A real server, from the first message to the last.
func TestDnsmasq(t *testing.T) {
	w := newWire(t)
	d, err := w.server.StartDnsmasq(t.Context(), "--interface=srv0", "--dhcp-range=10.9.0.50,10.9.0.99,255.255.255.0,2m",
		"--dhcp-authoritative", "--dhcp-option=option:root-path,"+rootPath, "--dhcp-option=option:mtu,1400",
		"--dhcp-option=option:dns-server,10.9.0.2,10.9.0.3", "--dhcp-option=option:ntp-server,10.9.0.4",
		"--dhcp-option=option:domain-search,example.com,lab.example.com", "--domain=example.com",
		"--dhcp-option=option:classless-static-route,10.7.0.0/16,10.9.0.9,0.0.0.0/0,10.9.0.1",
		"--dhcp-option=203,iqn.2007-01.com.example:boot1", "--dhcp-boot=pxelinux.0")
	if err != nil {
		t.Fatal(err)
	}
	l, err := w.acquire(t, w.config(), 10*time.Second)
	if err != nil {
		t.Fatalf("%v\n%s", err, d.Log())
	}
	t.Log(runstate.FormatLease(l))
	if l.Address.Bits() != 24 || !netip.MustParsePrefix("10.9.0.0/24").Contains(l.Address.Addr()) ||
		l.Server != netip.MustParseAddr("10.9.0.1") || l.Lifetime != 2*time.Minute || l.RootPath != rootPath ||
		l.MTU != 1400 || len(l.DNS) != 2 || len(l.NTP) != 1 || strings.Join(l.Search, " ") != "example.com lab.example.com" ||
		l.Domain != "example.com" || len(l.Routes) != 2 || l.Gateway() != l.Server || l.Initiator != "iqn.2007-01.com.example:boot1" ||
		l.BootFile != "pxelinux.0" || l.BootServer != l.Server || l.HostName != "boot1" || l.Ignored != nil || l.Obtained <= 0 {
		t.Errorf("lease %+v", l)
	}
	w.do(t, w.client, func() error {
		link, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		return addAddr(link, l.Address.String())
	})
	w.extend(t, l, d)
}

// extend renews and rebinds; then the server refuses an unknown client.
func (w *wire) extend(t *testing.T, l dhcp.Lease, d *lab.Dnsmasq) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	w.do(t, w.client, func() error {
		for name, f := range map[string]func(context.Context, dhcp4.Config, dhcp.Lease) (dhcp.Lease, error){"renew": dhcp4.Renew, "rebind": dhcp4.Rebind} {
			next, err := f(ctx, w.config(), l)
			if err != nil || next.Address != l.Address || next.RootPath != rootPath || next.Obtained <= l.Obtained {
				t.Errorf("%s: %+v %v\n%s", name, next, err, d.Log())
			}
		}
		wrong := l
		wrong.Address, wrong.ClientID = netip.MustParsePrefix("10.8.0.7/24"), []byte{0, 'x'}
		link, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		if err := addAddr(link, wrong.Address.String()); err != nil {
			return err
		}
		if _, err := dhcp4.Rebind(ctx, w.config(), wrong); !errors.Is(err, dhcp4.ErrRefused) {
			t.Errorf("a client of another network: %v\n%s", err, d.Log())
		}
		return nil
	})
}

// The socket: no answer comes, the interface does not exist, or goes down and up while the client
// waits.
func TestNoServer(t *testing.T) {
	w := newWire(t)
	_, err := w.acquire(t, w.config(), 300*time.Millisecond)
	var none *dhcp.NoLeaseError
	if !errors.As(err, &none) || !errors.Is(err, context.DeadlineExceeded) || none.Sent != 1 ||
		!strings.HasPrefix(err.Error(), "no DHCP server answers on eth0 (1 requests in ") {
		t.Errorf("error %v", err)
	}
	w.do(t, w.client, func() error {
		if _, err := dhcp4.Open("eth7"); err == nil || !strings.Contains(err.Error(), "DHCP on eth7") {
			t.Errorf("an interface that is not there: %v", err)
		}
		link, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		return netlink.LinkSetDown(link)
	})
	if _, err = w.acquire(t, w.config(), 300*time.Millisecond); !errors.As(err, &none) || !strings.Contains(err.Error(), "network is down") {
		t.Errorf("a link that is down: %v", err)
	}
	bad := w.config()
	bad.MAC = net.HardwareAddr{1, 2, 3}
	if _, err = w.acquire(t, bad, time.Second); err == nil || !strings.Contains(err.Error(), "want Ethernet's 6") {
		t.Errorf("a short MAC: %v", err)
	}
}
