package runstate

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

func lease() dhcp.Lease {
	a, p := netip.MustParseAddr, netip.MustParsePrefix
	return dhcp.Lease{
		Interface: "eth0", Method: dhcp.DHCP4, Address: p("10.1.1.165/26"), Server: a("10.1.1.130"),
		ClientID: dhcp.ClientID([]byte{0x52, 0x54, 0, 0x12, 0x34, 0x56}), Obtained: 2100 * time.Millisecond,
		Lifetime: time.Hour, Renew: 30 * time.Minute, Rebind: 52*time.Minute + 30*time.Second,
		Routes: []dhcp.Route{{To: p("10.2.0.0/16"), Via: a("10.1.1.131")}, {To: p("10.3.0.0/16")}, {To: p("0.0.0.0/0"), Via: a("10.1.1.129")}},
		DNS:    []netip.Addr{a("10.1.1.2"), a("10.1.1.3"), a("10.1.1.4")}, NTP: []netip.Addr{a("10.1.1.5")},
		Domain: "example.com", Search: []string{"example.com", "example.org"}, HostName: "boot1", MTU: 9000,
		RootPath:  "iscsi:boot1:hunter2@10.1.1.180::::iqn.2007-01.com.example:it's!",
		Initiator: "iqn.2007-01.com.example:boot1", BootServer: a("10.1.1.130"), BootFile: "pxelinux.0",
	}
}

func equal() cmp.Option {
	return cmp.Options{cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}, netip.AddrPort{}), cmpopts.EquateEmpty()}
}

const shown = "iscsi:[redacted]@10.1.1.180::::iqn.2007-01.com.example:it's!"

func TestFormatLease(t *testing.T) {
	const want = `interface=eth0
method=dhcp
address=10.1.1.165/26
server=10.1.1.130
client-id=ff0012345600030001525400123456
obtained=2.1s
lifetime=1h0m0s
renew=30m0s
rebind=52m30s
route=10.2.0.0/16 10.1.1.131
route=10.3.0.0/16
route=0.0.0.0/0 10.1.1.129
dns=10.1.1.2
dns=10.1.1.3
dns=10.1.1.4
ntp=10.1.1.5
search=example.com
search=example.org
domain=example.com
hostname=boot1
mtu=9000
root-path=` + shown + `
initiator=iqn.2007-01.com.example:boot1
boot-server=10.1.1.130
boot-file=pxelinux.0
`
	if diff := cmp.Diff(want, FormatLease(lease())); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	got, err := ParseLease(want)
	if err != nil {
		t.Fatal(err)
	}
	expected := lease()
	expected.RootPath = shown
	if diff := cmp.Diff(expected, got, equal()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestParseLeaseErrors(t *testing.T) {
	for text, want := range map[string]string{
		"address":                    "line 1: no =",
		"interface=a\naddress=10.0.": "line 2: address",
		"route=x":                    "line 1: route",
		"route=10.0.0.0/8 x":         "line 1: route",
		"lifetime=long":              "line 1: lifetime",
		`domain="x`:                  "line 1",
		"mtu=70000":                  "line 1: mtu",
		"version=2":                  "version is not known",
		strings.Repeat("#", 1<<17):   "131072 bytes, limit",
	} {
		if _, err := ParseLease(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: error is %v, want %q", text, err, want)
		}
	}
	if l, err := ParseLease("version=1\ncolour=blue\nmtu=1500\n"); err != nil || l.MTU != 1500 {
		t.Errorf("an unknown key: %v %v", l, err)
	}
}

// The law: a lease that was read is written so that it is read the same.
func FuzzParseLease(f *testing.F) {
	f.Add(FormatLease(lease()))
	f.Add("root-path=\"iscsi:\\x00\"\nlifetime=infinite\nserver=fe80::1%eth0\n")
	f.Fuzz(func(t *testing.T, text string) {
		l, err := ParseLease(text)
		if err != nil {
			return
		}
		l.RootPath = l.ShownRootPath()
		again, err := ParseLease(FormatLease(l))
		if diff := cmp.Diff(l, again, equal()); diff != "" || err != nil {
			t.Fatalf("error %v, -first +again:\n%s", err, diff)
		}
		if strings.Count(l.NetConf(0), "\n") != 17+2*strings.Count(l.NetConf(0), "SUBNET=") {
			t.Fatalf("a value has a line of its own:\n%s", l.NetConf(0))
		}
	})
}

// The law from the value: a lease that was written is read back, but for what is not to be shown,
// and for elements of a list that are empty.
func FuzzLease(f *testing.F) {
	f.Add([]byte("eth0 is leased by a server"))
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x01\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := source{b}
		l := dhcp.Lease{
			Interface: s.text(), Method: dhcp.Method(s.text()), Address: s.prefix(), Server: s.addr(), ServerID: s.bytes(), ClientID: s.bytes(),
			IAID: s.uint32(), Obtained: time.Duration(s.uint32()), Lifetime: dhcp.Infinite, Renew: time.Duration(s.uint32()) << 20, Rebind: s.seconds(),
			Preferred: s.tenths(), Domain: s.text(), HostName: s.text(), MTU: int(s.uint32() % 65536), RootPath: s.text(), Initiator: s.text(),
			BootServer: s.addr(), BootFile: s.text(),
		}
		for range s.count() {
			l.Routes = append(l.Routes, dhcp.Route{To: s.valid(), Via: s.addr()})
			l.DNS, l.NTP, l.Search = append(l.DNS, s.addr()), append(l.NTP, s.addr()), append(l.Search, s.text())
		}
		got, err := ParseLease(FormatLease(l))
		l.RootPath = l.ShownRootPath()
		l.Search = slices.DeleteFunc(l.Search, func(name string) bool { return name == "" })
		none := func(a netip.Addr) bool { return !a.IsValid() }
		l.DNS, l.NTP = slices.DeleteFunc(l.DNS, none), slices.DeleteFunc(l.NTP, none)
		if diff := cmp.Diff(l, got, equal()); diff != "" || err != nil {
			t.Fatalf("error %v, -written +read:\n%s", err, diff)
		}
	})
}
