package dhcp4_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp4"
)

// The messages of this client have what a server selects by, at the numbers of RFC 2132, and ask
// for what a boot needs. The request names the offer that it takes.
func TestSent(t *testing.T) {
	var sent []*dhcpv4.DHCPv4
	good := lan(map[byte]func(*dhcpv4.DHCPv4){1: none}, nil)
	cfg := dhcp4.Config{HostName: "boot1", VendorClass: "PXEClient:Arch:00000"}
	run(t, cfg, time.Minute, func(m *dhcpv4.DHCPv4) []timed {
		sent = append(sent, m)
		return good(m)
	}, func(_ dhcp.Lease, err error, _ *script, _ []string) {
		if err != nil {
			t.Error(err)
		}
	})
	if len(sent) != 2 {
		t.Fatalf("%d messages", len(sent))
	}
	for i, m := range sent {
		if m.OpCode != dhcpv4.OpcodeBootRequest || m.HostName() != "boot1" || m.ClassIdentifier() != cfg.VendorClass ||
			!slices.Equal(m.ClientHWAddr, mac()) || string(m.Options[61]) != string(dhcp.ClientID(mac())) || len(m.Options[57]) != 2 {
			t.Errorf("message %d: %s", i+1, m.Summary())
		}
		for _, code := range []uint8{1, 3, 6, 12, 15, 17, 26, 42, 51, 119, 121} {
			if !slices.Contains(m.Options[55], code) {
				t.Errorf("message %d does not ask for option %d: %v", i+1, code, m.Options[55])
			}
		}
	}
	if d, r := sent[0], sent[1]; d.Options[50] != nil || d.Options[54] != nil ||
		r.RequestedIPAddress().String() != "10.1.1.101" || r.ServerIdentifier().String() != "10.1.1.1" || !slices.Equal(r.TransactionID[:], d.TransactionID[:]) {
		t.Errorf("discover %s\nrequest %s", d.Summary(), r.Summary())
	}
}

// A renewal that is ended returns an error and no lease: what it has is not extended.
func TestRenewalEnds(t *testing.T) {
	w := newWire(t)
	w.do(t, w.client, func() error {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		l := dhcp.Lease{Address: netip.MustParsePrefix("127.0.0.1/8"), Server: netip.MustParseAddr("127.0.0.1"), ClientID: []byte{1, 2}}
		for name, f := range map[string]func(context.Context, dhcp4.Config, dhcp.Lease) (dhcp.Lease, error){"renew": dhcp4.Renew, "rebind": dhcp4.Rebind} {
			if got, err := f(ctx, w.config(), l); err == nil || got.Address.IsValid() {
				t.Errorf("%s: %v, %v", name, got, err)
			}
		}
		if _, err := dhcp4.Renew(ctx, dhcp4.Config{Interface: "eth0", MAC: []byte{1}}, l); err == nil || errors.Is(err, context.Canceled) {
			t.Errorf("a short MAC: %v", err)
		}
		return nil
	})
}
