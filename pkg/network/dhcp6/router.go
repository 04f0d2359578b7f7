package dhcp6

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

// Router is what a router advertises (RFC 4861 section 4.2). The kernel follows most of it by
// itself; it does not process DNS servers and the flags for DHCPv6.
type Router struct {
	Addr     netip.Addr    // link-local
	Lifetime time.Duration // as default router; 0: not a default router
	Managed  bool          // M: addresses by DHCPv6
	Other    bool          // O: other configuration by DHCPv6
	MTU      int           // 0: not specified
	Prefixes []Prefix
	DNS      []netip.Addr // RFC 8106
	Search   []string     // RFC 8106
}

// Prefix is a network on the link.
type Prefix struct {
	Prefix     netip.Prefix
	OnLink     bool // L
	Autonomous bool // A: for stateless address autoconfiguration
	Valid      time.Duration
}

// Options of an advertisement.
const (
	optPrefix = 3
	optMTU    = 5
	optRDNSS  = 25
	optDNSSL  = 31

	typeSolicitation  = 133
	typeAdvertisement = 134
	advertisementLen  = 16
)

// parseRouter reads an advertisement's ICMPv6 message. Invalid options are ignored.
func parseRouter(b []byte, from netip.Addr) (Router, error) {
	if len(b) < advertisementLen || b[0] != typeAdvertisement || b[1] != 0 {
		return Router{}, errors.New("no router advertisement")
	}
	if !from.IsLinkLocalUnicast() || !from.Is6() {
		return Router{}, fmt.Errorf("a router advertisement from %s, which is not link-local", from)
	}
	r := Router{
		Addr: from, Managed: b[5]&0x80 != 0, Other: b[5]&0x40 != 0,
		Lifetime: time.Duration(binary.BigEndian.Uint16(b[6:])) * time.Second,
	}
	for b = b[advertisementLen:]; len(b) > 0; {
		if len(b) < 8 || b[1] == 0 || len(b) < int(b[1])*8 { // lengths are in eights
			return Router{}, errors.New("a router advertisement with an option that is cut off")
		}
		n := int(b[1]) * 8
		r.option(b[0], b[2:n])
		b = b[n:]
	}
	return r, nil
}

// option processes one option, without type and length; it has at least six bytes.
func (r *Router) option(code byte, b []byte) {
	switch {
	case code == optMTU && len(b) == 6:
		if n := binary.BigEndian.Uint32(b[2:]); n >= 1280 && n <= 65535 { // RFC 8200 section 5
			r.MTU = int(n)
		}
	case code == optPrefix && len(b) == 30 && b[0] <= 128 && len(r.Prefixes) < dhcp.MaxList:
		p := netip.PrefixFrom(netip.AddrFrom16([16]byte(b[14:])), int(b[0])).Masked()
		if a := p.Addr(); a.IsLinkLocalUnicast() || a.IsMulticast() || a.Is4In6() {
			return
		}
		r.Prefixes = append(r.Prefixes, Prefix{p, b[1]&0x80 != 0, b[1]&0x40 != 0, dhcp.Seconds(binary.BigEndian.Uint32(b[2:]))})
	case code == optRDNSS && binary.BigEndian.Uint32(b[2:]) != 0:
		if list, err := appendAddrs(r.DNS, b[6:]); err == nil {
			r.DNS = list
		}
	case code == optDNSSL && binary.BigEndian.Uint32(b[2:]) != 0:
		r.search(b[6:])
	}
}

// search reads names that are padded with zeros.
func (r *Router) search(b []byte) {
	for len(b) > 1 && b[len(b)-1] == 0 && b[len(b)-2] == 0 {
		b = b[:len(b)-1]
	}
	if names, err := dhcp.Names(b); err == nil && len(r.Search)+len(names) <= dhcp.MaxList {
		r.Search = append(r.Search, names...)
	}
}
