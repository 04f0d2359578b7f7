package dhcp6_test

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/iscsiroot/iscsiroot/pkg/internal/nstest"
	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp6"
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
		if err == nil {
			err = addAddr(link, "2001:db8:9::1/64")
		}
		if err == nil {
			err = netlink.LinkSetUp(link)
		}
		return err
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
	// Both ends' link-local addresses, so that neither the server nor the client starts too
	// early.
	for ns, name := range map[*lab.Namespace]string{w.server: "srv0", w.client: "eth0"} {
		w.do(t, ns, func() error {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			a, err := dhcp6.WaitAddress(ctx, name, dhcp6.LinkLocal)
			if err == nil && !a.IsLinkLocalUnicast() {
				t.Errorf("%s has %s", name, a)
			}
			if err == nil && name == "srv0" { // only then it defends its address
				_, err = dhcp6.WaitAddress(ctx, name, dhcp6.Within(netip.MustParsePrefix("2001:db8:9::/64")))
			}
			return err
		})
	}
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

// recorder writes a real server's messages to the directory $DHCP_RECORD.
type recorder struct {
	dhcp6.Conn
}

func (r recorder) Receive(deadline time.Time) ([]byte, netip.Addr, error) {
	b, from, err := r.Conn.Receive(deadline)
	if dir := os.Getenv("DHCP_RECORD"); dir != "" && err == nil {
		name := map[byte]string{2: "advertise", 7: "reply"}[b[0]]
		_ = os.WriteFile(dir+"/dnsmasq-"+name+".bin", b, 0o644)
	}
	return b, from, err
}

func (w *wire) open(t *testing.T) dhcp6.Conn {
	t.Helper()
	conn, err := dhcp6.Open("eth0")
	if err != nil {
		t.Fatal(err)
	}
	return recorder{conn}
}

const rootPath = "iscsi:[2001:db8:9::1]::::iqn.2007-01.com.example:storage.disk1"

// A real server and router: an address.
func TestStateful(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	d, err := w.server.StartDnsmasq(t.Context(), "--interface=srv0", "--enable-ra", "--dhcp-range=2001:db8:9::50,2001:db8:9::99,64,2m",
		"--dhcp-option=option6:dns-server,[2001:db8:9::2],[2001:db8:9::3]", "--dhcp-option=option6:domain-search,example.com",
		"--dhcp-option=option6:ntp-server,[2001:db8:9::4]", "--dhcp-option=option6:bootfile-url,"+rootPath, "--ra-param=srv0,mtu:1400,0,1800")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	w.do(t, w.client, func() error {
		r, err := dhcp6.Solicit(ctx, "eth0")
		if err != nil || !r.Managed || !r.Other || r.MTU != 1400 || r.Lifetime != 30*time.Minute || len(r.Prefixes) != 1 ||
			r.Prefixes[0].Prefix.String() != "2001:db8:9::/64" || len(r.DNS) != 2 || strings.Join(r.Search, " ") != "example.com" {
			t.Errorf("router %+v, error %v\n%s", r, err, d.Log())
		}
		cfg := dhcp6.Config{Interface: "eth0", MAC: w.mac, WantRootPath: true, SinceBoot: sinceBoot}
		l, err := dhcp6.Acquire(ctx, w.open(t), cfg)
		if err != nil {
			return err
		}
		t.Log(runstate.FormatLease(l))
		if !netip.MustParsePrefix("2001:db8:9::/64").Contains(l.Address.Addr()) || l.Address.Bits() != 128 || l.Lifetime != 2*time.Minute ||
			len(l.DNS) != 2 || len(l.NTP) != 1 || l.RootPath != rootPath || !l.Server.IsLinkLocalUnicast() || l.Ignored != nil || l.Obtained <= 0 {
			t.Errorf("lease %+v\n%s", l, d.Log())
		}
		return nil
	})
}

// Stateless: the address is the router's prefix with an interface identifier, which the kernel
// makes; the server sends the rest.
func TestStateless(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	d, err := w.server.StartDnsmasq(t.Context(), "--interface=srv0", "--enable-ra", "--dhcp-range=2001:db8:9::,ra-stateless,64,2m",
		"--dhcp-option=option6:dns-server,[2001:db8:9::2]", "--dhcp-option=option6:bootfile-url,http://[2001:db8:9::1]/boot.efi")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	w.do(t, w.client, func() error {
		r, err := dhcp6.Solicit(ctx, "eth0")
		if err != nil || r.Managed || !r.Other || len(r.Prefixes) != 1 || !r.Prefixes[0].Autonomous {
			t.Errorf("router %+v, error %v\n%s", r, err, d.Log())
			return err
		}
		a, err := dhcp6.WaitAddress(ctx, "eth0", dhcp6.Within(r.Prefixes[0].Prefix))
		if err != nil || !r.Prefixes[0].Prefix.Contains(a) {
			t.Errorf("address %s, error %v", a, err)
		}
		l, err := dhcp6.Inform(ctx, w.open(t), dhcp6.Config{Interface: "eth0", MAC: w.mac, SinceBoot: sinceBoot})
		if err != nil || l.Method != dhcp.DHCP6Info || l.Address.IsValid() || len(l.DNS) != 1 || l.BootFile != "http://[2001:db8:9::1]/boot.efi" {
			t.Errorf("lease %+v, error %v\n%s", l, err, d.Log())
		}
		return nil
	})
}

// An address that another machine has is a DuplicateError; without an answer the context ends the
// wait.
func TestDuplicateAndSilence(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	w.do(t, w.client, func() error {
		link, err := netlink.LinkByName("eth0")
		if err == nil {
			err = addAddr(link, "2001:db8:9::1/64") // the server's
		}
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		var dup *dhcp6.DuplicateError
		_, err = dhcp6.WaitAddress(ctx, "eth0", dhcp6.Within(netip.MustParsePrefix("2001:db8:9::/64")))
		if !errors.As(err, &dup) || !strings.Contains(err.Error(), "another machine on eth0 has the address 2001:db8:9::1") {
			t.Errorf("a duplicate address: %v", err)
		}
		short, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer stop()
		if _, err := dhcp6.Solicit(short, "eth0"); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no router answers on eth0") {
			t.Errorf("no router: %v", err)
		}
		var none *dhcp.NoLeaseError
		_, err = dhcp6.Acquire(short, w.open(t), dhcp6.Config{Interface: "eth0", MAC: w.mac, SinceBoot: sinceBoot})
		if !errors.As(err, &none) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("no server: %v", err)
		}
		if _, err := dhcp6.WaitAddress(short, "eth0", dhcp6.Within(netip.MustParsePrefix("fd00::/8"))); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("an address that never comes: %v", err)
		}
		for _, err := range []error{
			func() error { _, err := dhcp6.Open("eth7"); return err }(),
			func() error { _, err := dhcp6.Solicit(ctx, "eth7"); return err }(),
			func() error { _, err := dhcp6.WaitAddress(ctx, "eth7", dhcp6.LinkLocal); return err }(),
		} {
			if err == nil || !strings.Contains(err.Error(), "on eth7") {
				t.Errorf("an interface that is not there: %v", err)
			}
		}
		return nil
	})
}

// sinceBoot is a clock that differs each time it is read, as the kernel's does.
func sinceBoot() time.Duration { return time.Duration(time.Now().UnixNano()) }
