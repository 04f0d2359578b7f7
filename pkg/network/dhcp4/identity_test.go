package dhcp4_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/vishvananda/netlink"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp4"
)

// knowing makes a server that answers to one client identifier alone.
func serverFor(id []byte, answer func(*dhcpv4.DHCPv4) []timed) func(*dhcpv4.DHCPv4) []timed {
	return func(m *dhcpv4.DHCPv4) []timed {
		if string(m.Options[61]) != string(id) {
			return nil
		}
		return answer(m)
	}
}

// A server may have a reservation for the hardware address: from the third request on it is sent
// alternately with RFC 4361's identifier, because a server that comes up late may have a
// reservation for either.
func TestOtherIdentifier(t *testing.T) {
	rfc4361, hardware, own := dhcp.ClientID(mac()), dhcp.HardwareID(mac()), []byte{0, 'a'}
	good := lan(map[byte]func(*dhcpv4.DHCPv4){1: none}, nil)
	late := func(after uint16, answer func(*dhcpv4.DHCPv4) []timed) func(*dhcpv4.DHCPv4) []timed {
		return func(m *dhcpv4.DHCPv4) []timed {
			if m.NumSeconds < after {
				return nil
			}
			return answer(m)
		}
	}
	refused := 0
	refusing := func(m *dhcpv4.DHCPv4) []timed {
		if refused++; m.MessageType() == dhcpv4.MessageTypeRequest && refused == 2 {
			return []timed{{0, reply(m, dhcpv4.MessageTypeNak, 1)}}
		}
		return good(m)
	}
	for _, tt := range []struct {
		name   string
		cfg    dhcp4.Config
		answer func(*dhcpv4.DHCPv4) []timed
		want   []byte // nil: no lease
		sent   int
	}{
		{"the hardware address alone", dhcp4.Config{}, serverFor(hardware, good), hardware, 4},
		{"RFC 4361's alone", dhcp4.Config{}, serverFor(rfc4361, good), rfc4361, 2},
		{"the hardware address, late", dhcp4.Config{}, serverFor(hardware, late(4, good)), hardware, 6},
		{"RFC 4361's, late", dhcp4.Config{}, serverFor(rfc4361, late(4, good)), rfc4361, 5},
		{"a refusal keeps it", dhcp4.Config{}, serverFor(hardware, refusing), hardware, 6},
		{"one that is requested", dhcp4.Config{ClientID: own}, serverFor(own, good), own, 2},
		{"one that is requested, without an answer", dhcp4.Config{ClientID: own}, serverFor(hardware, good), nil, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			run(t, tt.cfg, 30*time.Second, tt.answer, func(l dhcp.Lease, err error, s *script, reports []string) {
				if (err == nil) != (tt.want != nil) || string(l.ClientID) != string(tt.want) || tt.sent > 0 && len(s.sent) != tt.sent {
					t.Errorf("client identifier %x, %v, sent %q, want %x after %d", l.ClientID, err, s.sent, tt.want, tt.sent)
				}
				if reported := strings.Contains(strings.Join(reports, "\n"), "request 3, client identifier 01:52:54:00:12:34:56"); reported != (tt.cfg.ClientID == nil && len(s.sent) > 2) {
					t.Errorf("reports %q", reports)
				}
			})
		})
	}
}

// An offer for the first identifier that comes after a request with the other one is requested with
// the first: a server's answer need not contain the identifier.
func TestLateOfferToTheFirstIdentifier(t *testing.T) {
	good := lan(map[byte]func(*dhcpv4.DHCPv4){1: none}, nil)
	requests := 0
	run(t, dhcp4.Config{}, time.Minute, serverFor(dhcp.ClientID(mac()), func(m *dhcpv4.DHCPv4) []timed {
		answers := good(m)
		if requests++; requests == 1 {
			answers[0].after = 4 * time.Second
		} else if m.MessageType() == dhcpv4.MessageTypeDiscover {
			return nil
		}
		return answers
	}), func(l dhcp.Lease, err error, s *script, _ []string) {
		if err != nil || string(l.ClientID) != string(dhcp.ClientID(mac())) || len(s.sent) != 4 {
			t.Errorf("%v %v, client identifier %x, sent %q", l, err, l.ClientID, s.sent)
		}
	})
}

// A real server with a reservation for the machine's hardware address grants it, and extends it.
func TestReservation(t *testing.T) {
	w := newWire(t)
	d, err := w.server.StartDnsmasq(t.Context(), "--interface=srv0", "--dhcp-range=10.9.0.0,static,255.255.255.0,2m",
		"--dhcp-host=id:"+dhcp.Colons(dhcp.HardwareID(w.mac))+",10.9.0.77")
	if err != nil {
		t.Fatal(err)
	}
	l, err := w.acquire(t, w.config(), 10*time.Second)
	if err != nil || l.Address.String() != "10.9.0.77/24" {
		t.Fatalf("%v %v\n%s", l, err, d.Log())
	}
	w.do(t, w.client, func() error {
		link, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		if err := addAddr(link, l.Address.String()); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if next, err := dhcp4.Renew(ctx, w.config(), l); err != nil || next.Address != l.Address || string(next.ClientID) != string(l.ClientID) {
			t.Errorf("renew: %v %v\n%s", next, err, d.Log())
		}
		return nil
	})
}
