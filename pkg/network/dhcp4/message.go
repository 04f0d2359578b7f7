package dhcp4

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/iana"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

// Options by their number (RFC 2132 and others).
const (
	optMask        = 1
	optRouter      = 3
	optDNS         = 6
	optHostName    = 12
	optDomain      = 15
	optRootPath    = 17
	optMTU         = 26
	optNTP         = 42
	optRequested   = 50
	optLifetime    = 51
	optOverload    = 52
	optType        = 53
	optServer      = 54
	optRequests    = 55
	optMessage     = 56
	optMaxSize     = 57
	optRenew       = 58
	optRebind      = 59
	optVendorClass = 60
	optClientID    = 61
	optSearch      = 119 // RFC 3397
	optRoutes      = 121 // RFC 3442
	optInitiator   = 203 // iPXE's, of the site's own range
)

// requested is option 55: the requested options. RFC 3442 requires 121 before 3.
func requested() []byte {
	return []byte{
		optMask, optRoutes, optRouter, optDNS, optHostName, optDomain, optRootPath, optMTU, optNTP,
		optLifetime, optServer, optRenew, optRebind, optSearch, optInitiator,
	}
}

// maxSize is option 57: an Ethernet frame's payload.
const maxSize = 1500

// The fixed part of a message (RFC 2131 section 2), of which options may use sname and file.
const (
	snameAt = 44
	fileAt  = snameAt + 64
	fileEnd = fileAt + 128
)

// exchange has the values that all messages of one exchange share.
type exchange struct {
	cfg Config
	ids []identity // one at least
	// first is the index of the identity of the next message.
	first, now int
}

// message builds a message to a server.
func (x *exchange) message(typ dhcpv4.MessageType, seconds int) *dhcpv4.DHCPv4 {
	m := &dhcpv4.DHCPv4{
		OpCode: dhcpv4.OpcodeBootRequest, HWType: iana.HWTypeEthernet,
		TransactionID: x.ids[x.now].xid, ClientHWAddr: net.HardwareAddr(x.cfg.MAC),
		NumSeconds: uint16(min(seconds, 0xffff)), Options: dhcpv4.Options{},
	}
	m.Options[optType] = []byte{byte(typ)}
	m.Options[optClientID] = x.ids[x.now].clientID
	m.Options[optRequests] = requested()
	m.Options[optMaxSize] = binary.BigEndian.AppendUint16(nil, maxSize)
	if x.cfg.HostName != "" {
		m.Options[optHostName] = []byte(x.cfg.HostName)
	}
	if x.cfg.VendorClass != "" {
		m.Options[optVendorClass] = []byte(x.cfg.VendorClass)
	}
	return m
}

// reply is a server's message to this client.
type reply struct {
	*dhcpv4.DHCPv4
	typ      dhcpv4.MessageType
	server   netip.Addr
	clientID []byte // that it answers to
}

// parse reads a message. The error is why it is not for this client, or not a message.
func (x *exchange) parse(b []byte) (reply, error) {
	m, err := dhcpv4.FromBytes(b)
	if err != nil {
		return reply{}, fmt.Errorf("a broken message: %w", err)
	}
	id := slices.IndexFunc(x.ids, func(id identity) bool { return id.xid == m.TransactionID })
	if m.OpCode != dhcpv4.OpcodeBootReply || id < 0 || !bytes.Equal(m.ClientHWAddr, x.cfg.MAC) {
		return reply{}, errOtherClient
	}
	if err := overload(m, b); err != nil {
		return reply{}, err
	}
	r := reply{DHCPv4: m, clientID: x.ids[id].clientID}
	t := m.Options[optType]
	if len(t) != 1 {
		return reply{}, fmt.Errorf("an answer without a DHCP message type, as BOOTP's")
	}
	r.typ = dhcpv4.MessageType(t[0])
	if s := addrs(m.Options[optServer]); len(s) == 1 && dhcp.Usable(s[0]) {
		r.server = s[0]
	}
	return r, nil
}

// overload reads the options in file and then in sname, if option 52 announces any (RFC 2132
// section 9.3).
func overload(m *dhcpv4.DHCPv4, b []byte) error {
	o := m.Options[optOverload]
	if len(o) != 1 {
		return nil
	}
	parts := map[byte][]byte{1: b[fileAt:fileEnd], 2: b[snameAt:fileAt]}
	for _, bit := range []byte{1, 2} {
		if o[0]&bit == 0 {
			continue
		}
		if err := m.Options.FromBytes(parts[bit]); err != nil {
			return fmt.Errorf("a broken message: options in place of names: %w", err)
		}
		if bit == 1 {
			m.BootFileName = ""
		}
	}
	return nil
}

// addrs reads a list of addresses; nil if its length is odd.
func addrs(b []byte) []netip.Addr {
	if len(b)%4 != 0 {
		return nil
	}
	var out []netip.Addr
	for ; len(b) > 0; b = b[4:] {
		out = append(out, netip.AddrFrom4([4]byte(b)))
	}
	return out
}
