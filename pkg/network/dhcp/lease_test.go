package dhcp_test

import (
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

func lease() dhcp.Lease {
	a, p := netip.MustParseAddr, netip.MustParsePrefix
	return dhcp.Lease{
		Interface: "eth0", Method: dhcp.DHCP4, Address: p("10.1.1.165/26"), Server: a("10.1.1.130"),
		ClientID: dhcp.ClientID([]byte{0x52, 0x54, 0, 0x12, 0x34, 0x56}), Obtained: 2100 * time.Millisecond,
		Lifetime: time.Hour, Renew: 30 * time.Minute, Rebind: 52*time.Minute + 30*time.Second,
		Routes: []dhcp.Route{{p("10.2.0.0/16"), a("10.1.1.131")}, {p("10.3.0.0/16"), netip.Addr{}}, {p("0.0.0.0/0"), a("10.1.1.129")}},
		DNS:    []netip.Addr{a("10.1.1.2"), a("10.1.1.3"), a("10.1.1.4")}, NTP: []netip.Addr{a("10.1.1.5")},
		Domain: "example.com", Search: []string{"example.com", "example.org"}, HostName: "boot1", MTU: 9000,
		RootPath:  "iscsi:boot1:hunter2@10.1.1.180::::iqn.2007-01.com.example:it's!",
		Initiator: "iqn.2007-01.com.example:boot1", BootServer: a("10.1.1.130"), BootFile: "pxelinux.0",
	}
}

const shown = "iscsi:[redacted]@10.1.1.180::::iqn.2007-01.com.example:it's!"

// klibc's form, and a shell that reads it.
func TestNetConf(t *testing.T) {
	const want = `DEVICE='eth0'
PROTO='dhcp'
IPV4ADDR='10.1.1.165'
IPV4BROADCAST='10.1.1.191'
IPV4NETMASK='255.255.255.192'
IPV4GATEWAY='10.1.1.129'
IPV4ROUTE0SUBNET='10.2.0.0/16'
IPV4ROUTE0GATEWAY='10.1.1.131'
IPV4ROUTE1SUBNET='10.3.0.0/16'
IPV4ROUTE1GATEWAY='0.0.0.0'
IPV4DNS0='10.1.1.2'
IPV4DNS1='10.1.1.3'
HOSTNAME='boot1'
DNSDOMAIN='example.com'
NISDOMAIN=''
ROOTSERVER='10.1.1.130'
ROOTPATH='iscsi:[redacted]@10.1.1.180::::iqn.2007-01.com.example:it'\''s'\!''
filename='pxelinux.0'
UPTIME='21'
DHCPLEASETIME='3600'
DOMAINSEARCH='example.com example.org'
`
	got := lease().NetConf(21 * time.Second)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	out, err := exec.Command("/bin/sh", "-c", got+`printf %s "$ROOTPATH"`).CombinedOutput()
	if err != nil || string(out) != shown {
		t.Errorf("the shell reads %q, error %v", out, err)
	}
	static := dhcp.Lease{Interface: "eth1", Method: dhcp.Static, Lifetime: dhcp.Infinite, HostName: "a\nb"}.NetConf(0)
	for _, line := range []string{"PROTO='none'", "IPV4ADDR='0.0.0.0'", "IPV4NETMASK='0.0.0.0'", "HOSTNAME=''", "DHCPLEASETIME='4294967295'"} {
		if !strings.Contains(static, line+"\n") {
			t.Errorf("no %s in\n%s", line, static)
		}
	}
}

func TestNet6Conf(t *testing.T) {
	l := dhcp.Lease{
		Interface: "eno1", Method: dhcp.DHCP6, Address: netip.MustParsePrefix("2001:db8::165/64"),
		Routes: []dhcp.Route{{netip.MustParsePrefix("::/0"), netip.MustParseAddr("fe80::1")}},
		DNS:    []netip.Addr{netip.MustParseAddr("2001:db8::2")}, Search: []string{"example.com"},
	}
	const want = `DEVICE6='eno1'
IPV6PROTO='dhcp6'
IPV6ADDR='2001:db8::165'
IPV6NETMASK='64'
IPV6GATEWAY='fe80::1'
IPV6DNS0='2001:db8::2'
IPV6DOMAINSEARCH='example.com'
HOSTNAME=''
DNSDOMAIN=''
`
	if diff := cmp.Diff(want, l.Net6Conf()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	l.Method = dhcp.Static
	if got := l.Net6Conf(); !strings.Contains(got, "IPV6PROTO='none'") {
		t.Error(got)
	}
}

func TestString(t *testing.T) {
	const want = "10.1.1.165/26 on eth0 from 10.1.1.130 for 1h0m0s, route 10.2.0.0/16 via 10.1.1.131, route 10.3.0.0/16, route default via 10.1.1.129, root path " + shown
	if got := lease().String(); got != want {
		t.Errorf("got %s", got)
	}
	for want, l := range map[string]dhcp.Lease{
		"no address on no interface":               {},
		"no address on eth0 without limit":         {Interface: "eth0", Lifetime: dhcp.Infinite},
		`no address on eth0, root path "a\x00\nb"`: {Interface: "eth0", RootPath: "a\x00\nb"},
	} {
		if got := l.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestSetTimes(t *testing.T) {
	tests := []struct{ life, renew, rebind, wantRenew, wantRebind time.Duration }{
		{80, 0, 0, 40, 70},
		{80, 10, 20, 10, 20},
		{80, 90, 100, 40, 70},
		{80, 30, 20, 20, 20},
		{dhcp.Infinite, 10, 20, dhcp.Infinite, dhcp.Infinite},
	}
	for _, tt := range tests {
		var l dhcp.Lease
		l.SetTimes(tt.life, tt.renew, tt.rebind)
		if l.Renew != tt.wantRenew || l.Rebind != tt.wantRebind || l.Lifetime != tt.life {
			t.Errorf("%+v: renew %d rebind %d", tt, l.Renew, l.Rebind)
		}
	}
}

func TestBackoff(t *testing.T) {
	for n, want := range []time.Duration{1, 2, 4, 8, 16, 16, 16} {
		want *= time.Second
		for _, r := range []float64{0, 0.5, 1} {
			if got, exact := dhcp.Backoff(n, r), want*4/5+time.Duration(r*float64(want)*2/5); got != exact {
				t.Errorf("wait %d with %v: %v, want %v", n, r, got, exact)
			}
		}
	}
}

func TestName(t *testing.T) {
	for in, want := range map[string]string{
		"boot1": "boot1", "boot1.example.com.": "boot1.example.com", "boot1\x00\x00": "boot1", "my_host": "my_host",
		"": "", "a b": "", "a;reboot": "", "$(x)": "", "-a": "", "a..b": "", "a\x00b": "",
		strings.Repeat("a", 64): "", strings.Repeat("a.", 130): "",
	} {
		got, err := dhcp.Name([]byte(in))
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, error %v", in, got, err)
		}
	}
}

func TestNames(t *testing.T) {
	tests := []struct{ in, want, err string }{
		{"", "[]", ""},
		{"\x07example\x03com\x00", "[example.com]", ""},
		{"\x07example\x03com\x00\x03lab\xc0\x00\x03org\x00", "[example.com lab.example.com org]", ""},
		{"\x01a\x00\x01b\xc0\x00\x01c\xc0\x03", "[a b.a c.b.a]", ""},
		{"\xc0\x00", "", "does not lead back"},
		{"\x01a\xc0\x00", "", "does not lead back"},
		{"\x01a\xc0", "", "cut off"},
		{"\x07exam", "", "cut off"},
		{"\x01a", "", "without an end"},
		{"\x03a b\x00", "", "byte 0x20"},
		{"\x40" + strings.Repeat("a", 64) + "\x00", "", "cut off"},
		{strings.Repeat("\x3f"+strings.Repeat("a", 63), 5) + "\x00", "", "too long"},
		{strings.Repeat("\x01a\x00", 33), "", "more than 32"},
	}
	for _, tt := range tests {
		got, err := dhcp.Names([]byte(tt.in))
		switch {
		case tt.err == "" && (err != nil || fmt.Sprint(got) != tt.want):
			t.Errorf("%q: %v, error %v", tt.in, got, err)
		case tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)):
			t.Errorf("%q: error %v, want %s", tt.in, err, tt.err)
		}
	}
}

func TestUsable(t *testing.T) {
	for in, want := range map[string]bool{
		"10.1.1.1": true, "2001:db8::1": true, "fe80::1": true, "0.0.0.0": false, "::": false,
		"127.0.0.1": false, "224.0.0.1": false, "255.255.255.255": false, "ff02::1": false, "::1": false,
	} {
		if got := dhcp.Usable(netip.MustParseAddr(in)); got != want {
			t.Errorf("%s: %v", in, got)
		}
	}
	if dhcp.ValidMTU(67) || !dhcp.ValidMTU(68) || !dhcp.ValidMTU(9000) || dhcp.ValidMTU(65536) {
		t.Error("an MTU is from 68 to 65535")
	}
	if dhcp.Seconds(7) != 7*time.Second || dhcp.Seconds(1<<32-1) != dhcp.Infinite {
		t.Error("seconds")
	}
}

func FuzzNames(f *testing.F) {
	f.Add([]byte("\x07example\x03com\x00\x03lab\xc0\x00\x03org\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		names, err := dhcp.Names(b)
		if err != nil {
			return
		}
		for _, n := range names {
			if again, err := dhcp.Name([]byte(n)); err != nil || again != n {
				t.Fatalf("%q is not a name", n)
			}
		}
	})
}
