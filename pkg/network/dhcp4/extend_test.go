package dhcp4

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

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

// oneAnswer is a server that answers each message with one of a type, for an address.
type oneAnswer struct {
	typ     dhcpv4.MessageType
	address net.IP
	queue   [][]byte
}

func (s *oneAnswer) Send(b []byte) error {
	m, err := dhcpv4.FromBytes(b)
	if err != nil {
		return err
	}
	r := &dhcpv4.DHCPv4{
		OpCode: dhcpv4.OpcodeBootReply, HWType: m.HWType, TransactionID: m.TransactionID, ClientHWAddr: m.ClientHWAddr, YourIPAddr: s.address,
		Options: dhcpv4.Options{53: {byte(s.typ)}, 54: {10, 1, 1, 1}, 51: {0, 0, 14, 16}, 1: {255, 255, 255, 0}},
	}
	s.queue = append(s.queue, r.ToBytes())
	return nil
}

func (s *oneAnswer) Receive(time.Time) ([]byte, error) {
	if len(s.queue) == 0 {
		return nil, os.ErrDeadlineExceeded
	}
	b := s.queue[0]
	s.queue = s.queue[1:]
	return b, nil
}

func (s *oneAnswer) Close() error { return nil }

// A lease is extended for its own address only: another one would leave the connections without
// theirs. A refusal is an error of its own.
func TestExtend(t *testing.T) {
	l := dhcp.Lease{Address: netip.MustParsePrefix("10.1.1.5/24"), ClientID: []byte{1, 2, 3}}
	for _, tt := range []struct {
		name   string
		server oneAnswer
		want   string
	}{
		{"the same address", oneAnswer{typ: dhcpv4.MessageTypeAck, address: net.IP{10, 1, 1, 5}}, ""},
		{"another address", oneAnswer{typ: dhcpv4.MessageTypeAck, address: net.IP{10, 1, 1, 6}}, "extend the lease of 10.1.1.5 on eth0: the server gives 10.1.1.6 instead"},
		{"a refusal", oneAnswer{typ: dhcpv4.MessageTypeNak}, "extend the lease of 10.1.1.5 on eth0: " + ErrRefused.Error()},
	} {
		cfg := Config{Interface: "eth0", MAC: []byte{0x52, 0x54, 0, 1, 2, 3}, SinceBoot: func() time.Duration { return time.Hour }}
		got, err := extend(context.Background(), &tt.server, cfg, l, netip.MustParseAddr("10.1.1.1"))
		if tt.want == "" && (err != nil || got.Address != l.Address || got.Obtained != time.Hour) || tt.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.want) || got.Address.IsValid()) {
			t.Errorf("%s: %v, %v", tt.name, got, err)
		}
		if errors.Is(err, ErrRefused) != (tt.server.typ == dhcpv4.MessageTypeNak) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
