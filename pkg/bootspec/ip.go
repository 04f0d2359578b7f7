package bootspec

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

const ipForm = "ip=CLIENT::GATEWAY:MASK:HOST:NIC:none, ip=NIC:dhcp or ip=dhcp, with IPv6 in brackets"

// Limits of ip=: a machine has few NICs, and the kernel's command line has at most 2048 bytes.
const (
	maxIPLines  = 16
	maxIPTokens = 20
)

// mtu limits (RFC 791 section 3.2; 16 bits of length).
const (
	minMTU = 68
	maxMTU = 65535
)

// ParseIP reads the value of ip= in any of its forms: METHOD, ADDRESS, NIC, NIC:METHOD and
// CLIENT:PEER:GATEWAY:MASK:HOST:NIC:METHOD with the fields that may follow each. cause describes
// what is wrong, and is empty if nothing is.
func ParseIP(s string) (ip IP, cause string) {
	if strings.Contains(s, "@") { // a cause would repeat parts of a secret
		return IP{}, "it contains an @"
	}
	tokens := splitTokens(s)
	if len(tokens) > maxIPTokens {
		return IP{}, fmt.Sprintf("%d parts, limit %d", len(tokens), maxIPTokens)
	}
	r := &ipReader{}
	switch first := tokens[0]; {
	case len(tokens) == 1 && isAddress(first):
		r.client(first)
		r.ip.Methods = []Method{Static}
	case len(tokens) == 1 && isMethods(first):
		r.methods(first)
	case len(tokens) == 1, len(tokens) == 2 && tokens[1] == "" && looksLikeNIC(first):
		r.bareNIC(first)
	case isMethods(tokens[1]) && !isAddress(first):
		if first != "" {
			r.device(first)
		}
		r.methods(tokens[1])
		r.trailing(tokens[2:])
	case len(tokens) == 2 && !isAddress(first) && tokens[1] != "":
		r.failf("%s is not a method", show(tokens[1]))
	default:
		r.long(tokens)
	}
	if r.cause != "" {
		return IP{}, r.cause
	}
	return r.ip, ""
}

// splitTokens splits at colons, except within brackets.
func splitTokens(s string) []string {
	var out []string
	for {
		end := strings.IndexByte(s, ':')
		if i := strings.IndexByte(s, ']'); strings.HasPrefix(s, "[") && i >= 0 {
			if end = strings.IndexByte(s[i:], ':'); end >= 0 {
				end += i
			}
		}
		if end < 0 {
			return append(out, s)
		}
		out, s = append(out, s[:end]), s[end+1:]
	}
}

// bare removes brackets.
func bare(s string) string {
	if len(s) > 2 && s[0] == '[' && s[len(s)-1] == ']' {
		return s[1 : len(s)-1]
	}
	return s
}

// isAddress reports whether a token is an address, with or without a length.
func isAddress(s string) bool {
	a, _, _ := strings.Cut(bare(s), "/")
	_, err := netip.ParseAddr(strings.Trim(a, "[]"))
	return err == nil
}

// ipReader reads tokens and keeps the first error.
type ipReader struct {
	ip    IP
	cause string
}

func (r *ipReader) failf(format string, args ...any) {
	if r.cause == "" {
		r.cause = fmt.Sprintf(format, args...)
	}
}

// long reads CLIENT:PEER:GATEWAY:MASK:HOST:NIC:METHOD and what follows. Without a method an address
// is static, as in PXELINUX's IPAPPEND.
func (r *ipReader) long(tokens []string) {
	t := slices.Clone(tokens)
	for len(t) < 7 {
		t = append(t, "")
	}
	if t[0] != "" && t[0] != "0.0.0.0" { // klibc's ipconfig: no address
		r.client(t[0])
	}
	r.gateway(t[2])
	r.mask(t[3])
	r.peer(t[1])
	r.ip.HostName = t[4]
	if t[5] != "" {
		r.device(t[5])
	}
	switch {
	case t[6] == "" && r.ip.Address.IsValid():
		r.ip.Methods = []Method{Static}
	case t[6] == "":
		r.ip.Methods = []Method{DHCP}
	default:
		r.methods(t[6])
	}
	if r.ip.Address.IsValid() && slices.Equal(r.ip.Methods, []Method{Off}) {
		r.ip.Methods = []Method{Static}
	}
	r.trailing(t[7:])
}

// client reads ADDRESS or ADDRESS/LENGTH. Without a length it has the length of a host address
// until the mask is read.
func (r *ipReader) client(s string) {
	a, length, hasLength := strings.Cut(bare(s), "/")
	addr, err := netip.ParseAddr(strings.Trim(a, "[]"))
	if err != nil || !isHost(addr) {
		r.failf("the client's address %s is not a host address", show(s))
		return
	}
	bits := addr.BitLen()
	if hasLength {
		n, ok := maskBits(length, addr)
		if !ok {
			r.failf("the length %s is not a prefix length", show(length))
		}
		bits = n
	} else {
		r.ip.Guessed = true
	}
	r.ip.Address = netip.PrefixFrom(addr, bits)
}

func isHost(a netip.Addr) bool {
	return a.Zone() == "" && !a.Is4In6() && !a.IsUnspecified() && !a.IsMulticast() && !a.IsLoopback()
}

// mask reads a length or a dotted quad. The default is the mask of the address's class, as in the
// kernel (net/ipv4/ipconfig.c), or 64 for IPv6.
func (r *ipReader) mask(s string) {
	if !r.ip.Address.IsValid() {
		return
	}
	addr := r.ip.Address.Addr()
	switch {
	case s != "" && s != "0.0.0.0":
		bits, ok := maskBits(s, addr)
		if !ok {
			r.failf("the mask %s is neither a netmask nor a prefix length", show(s))
			return
		}
		r.ip.Address, r.ip.Guessed = netip.PrefixFrom(addr, bits), false
	case r.ip.Guessed:
		r.ip.Address = netip.PrefixFrom(addr, classBits(addr))
	}
}

func classBits(a netip.Addr) int {
	if a.Is6() {
		return 64
	}
	switch first := a.As4()[0]; {
	case first < 128:
		return 8
	case first < 192:
		return 16
	}
	return 24
}

// peer reads the second token as the other end of a point-to-point link, as dracut does, only if it
// has a length or can be nothing else: the kernel and PXELINUX put the boot server there, which the
// kernel does not use as a peer (net/ipv4/ipconfig.c: ic_setup_if).
func (r *ipReader) peer(s string) {
	a, length, hasLength := strings.Cut(bare(s), "/")
	addr, err := netip.ParseAddr(strings.Trim(a, "[]"))
	switch {
	case s == "":
	case err != nil && hasLength:
		r.failf("the peer %s is not an address", show(s))
	case err != nil: // a server's name
	case hasLength:
		bits, ok := maskBits(length, addr)
		if !ok {
			r.failf("the peer's length %s is not a prefix length", show(length))
			return
		}
		r.ip.Peer = netip.PrefixFrom(addr, bits)
	case r.pointToPoint(addr):
		r.ip.Peer, r.ip.PeerGuessed = netip.PrefixFrom(addr, addr.BitLen()), true
	}
}

// pointToPoint reports whether only this machine and another can be on the link: no gateway is
// given, and the network has one address or two (RFC 3021, RFC 6164), of which the other machine's
// is one.
func (r *ipReader) pointToPoint(other netip.Addr) bool {
	own := r.ip.Address
	if !own.IsValid() || r.ip.Guessed || r.ip.Gateway.IsValid() || !isHost(other) || other.BitLen() != own.Addr().BitLen() || other == own.Addr() {
		return false
	}
	hostBits := own.Addr().BitLen() - own.Bits()
	return hostBits == 0 || hostBits == 1 && own.Contains(other)
}

func (r *ipReader) gateway(s string) {
	if s == "" {
		return
	}
	addr, err := netip.ParseAddr(bare(s))
	switch {
	case err == nil && addr.IsUnspecified(): // PXELINUX without a gateway
	case err != nil || !isHost(addr):
		r.failf("the gateway %s is not an address", show(s))
	default:
		r.ip.Gateway = addr
	}
}

// ipLine reads one ip=.
func (ps *parser) ipLine(p cmdline.Param) error {
	if p.Value == "" { // dracut, NetworkManager and systemd ignore it too
		ps.warnf("%s has no value and is ignored", source(p))
		return nil
	}
	ip, cause := ParseIP(p.Value)
	switch n := len(ps.plan.Net.IP); {
	case ps.tooManyLines: // it has been reported
	case cause != "":
		return bad(p, cause, ipForm)
	case n >= maxIPLines:
		ps.tooManyLines = true
		return tooMany(p, fmt.Sprintf("more than %d lines of %s=", maxIPLines, p.Key), "one for each NIC")
	default:
		ps.plan.Net.IP = append(ps.plan.Net.IP, Value[IP]{ip, nth(source(p), n)})
	}
	return nil
}

// nth numbers the sources of a repeated parameter; n counts from 0.
func nth(from string, n int) string {
	switch n {
	case 0:
		return from
	case 1:
		return from + ", 2nd"
	case 2:
		return from + ", 3rd"
	}
	return fmt.Sprintf("%s, %dth", from, n+1)
}
