package dhcp_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

// A lease is of IPv6 by its method, also without an address, or by its address.
func TestV6(t *testing.T) {
	for _, tt := range []struct {
		method  dhcp.Method
		address string
		want    bool
	}{
		{dhcp.DHCP6, "2001:db8::5/128", true},
		{dhcp.DHCP6, "", true},
		{dhcp.DHCP6Info, "", true},
		{dhcp.DHCP4, "10.1.1.5/24", false},
		{dhcp.DHCP4, "", false},
		{"", "2001:db8::5/64", true},
		{"", "", false},
	} {
		l := dhcp.Lease{Method: tt.method}
		if tt.address != "" {
			l.Address = netip.MustParsePrefix(tt.address)
		}
		if l.V6() != tt.want {
			t.Errorf("%+v: %v", tt, l.V6())
		}
	}
}

// Times that are missing or out of order become those of RFC 2131 section 4.4.5; others stay, at
// their bounds too.
func TestTimesAtTheirBounds(t *testing.T) {
	for _, tt := range []struct{ lifetime, renew, rebind, wantRenew, wantRebind time.Duration }{
		{800, 0, 0, 400, 700},
		{800, 300, 600, 300, 600},
		{800, 800, 800, 800, 800},
		{800, 600, 600, 600, 600},
		{800, 601, 600, 400, 600},
		{800, 300, 801, 300, 700},
		{800, 0, 200, 200, 200},
		{800, 1, 1, 1, 1},
		{dhcp.Infinite, 1, 2, dhcp.Infinite, dhcp.Infinite},
	} {
		var l dhcp.Lease
		l.SetTimes(tt.lifetime, tt.renew, tt.rebind)
		if l.Lifetime != tt.lifetime || l.Renew != tt.wantRenew || l.Rebind != tt.wantRebind {
			t.Errorf("%+v: %d, %d, %d", tt, l.Lifetime, l.Renew, l.Rebind)
		}
	}
	if dhcp.Seconds(1<<32-1) != dhcp.Infinite || dhcp.Seconds(1<<32-2) == dhcp.Infinite || dhcp.Seconds(9) != 9*time.Second {
		t.Error("seconds")
	}
}

// The waits double from one second to sixteen, each a fifth more or less.
func TestBoundsOfBackoff(t *testing.T) {
	for n, base := range []time.Duration{1, 2, 4, 8, 16, 16, 16} {
		base *= time.Second
		if least, most, mid := dhcp.Backoff(n, 0), dhcp.Backoff(n, 1), dhcp.Backoff(n, 0.5); least != base*4/5 || most != base*6/5 || mid != base {
			t.Errorf("request %d: %v to %v, %v", n, least, most, mid)
		}
	}
}

func TestValidMTU(t *testing.T) {
	for n, want := range map[int]bool{67: false, 68: true, 1500: true, 65535: true, 65536: false} {
		if dhcp.ValidMTU(n) != want {
			t.Errorf("%d: %v", n, !want)
		}
	}
}

// The gateway is the first default route's next hop.
func TestFirstGateway(t *testing.T) {
	one, two := netip.MustParseAddr("10.1.1.1"), netip.MustParseAddr("10.1.1.2")
	l := dhcp.Lease{Routes: []dhcp.Route{{To: netip.MustParsePrefix("10.7.0.0/16"), Via: two}, {To: netip.MustParsePrefix("0.0.0.0/0"), Via: one}, {To: netip.MustParsePrefix("0.0.0.0/0"), Via: two}}}
	if l.Gateway() != one || (dhcp.Lease{Routes: l.Routes[:1]}).Gateway().IsValid() {
		t.Errorf("%s", l.Gateway())
	}
	for want, r := range map[string]dhcp.Route{"default via 10.1.1.1": l.Routes[1], "10.7.0.0/16 via 10.1.1.2": l.Routes[0], "10.7.0.0/16": {To: l.Routes[0].To}} {
		if r.String() != want {
			t.Errorf("%s, want %s", r, want)
		}
	}
}
