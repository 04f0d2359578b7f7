package bootspec

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// methods are the words of all dialects. What the kernel calls any or both is
// DHCP with us: nothing else is spoken any more.
var methods = map[string]Method{
	"dhcp": DHCP, "on": DHCP, "any": DHCP, "auto": DHCP, "both": DHCP, "bootp": DHCP, "single-dhcp": DHCP,
	"dhcp6": DHCP6, "auto6": Auto6, "either6": Either6, "link6": LinkLocal, "link-local": LinkLocal,
	"ibft": Firmware, "fw": Firmware, "none": Off, "off": Off, "static": Static,
}

const ipForm = "ip=CLIENT::GATEWAY:MASK:HOST:NIC:none, ip=NIC:dhcp or ip=dhcp, with IPv6 in brackets"

// Limits on what a line may hold.
const (
	maxIPLines  = 16
	maxIPTokens = 20
)

// mtu limits (RFC 791 section 3.2; 16 bits of length).
const (
	minMTU = 68
	maxMTU = 65535
)

// ParseIP reads the value of ip= in any of its shapes: METHOD, ADDRESS,
// NIC:METHOD and CLIENT:PEER:GATEWAY:MASK:HOST:NIC:METHOD with what may follow
// each. cause says what is wrong, and is empty if nothing is.
func ParseIP(s string) (ip IP, cause string) {
	tokens := splitTokens(s)
	if len(tokens) > maxIPTokens {
		return IP{}, fmt.Sprintf("%d parts, limit %d", len(tokens), maxIPTokens)
	}
	r := &ipReader{}
	switch {
	case len(tokens) == 1 && isAddress(tokens[0]):
		r.client(tokens[0])
		r.ip.Methods = []Method{Static}
	case len(tokens) == 1:
		r.methods(tokens[0])
	case isMethods(tokens[1]) && !isAddress(tokens[0]):
		r.device(tokens[0])
		r.methods(tokens[1])
		r.trailing(tokens[2:])
	default:
		r.long(tokens)
	}
	if r.cause != "" {
		return IP{}, r.cause
	}
	return r.ip, ""
}

// splitTokens splits at colons. A token in brackets may hold colons.
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

// bare takes brackets off.
func bare(s string) string {
	if len(s) > 2 && s[0] == '[' && s[len(s)-1] == ']' {
		return s[1 : len(s)-1]
	}
	return s
}

// isAddress tells whether a token is an address, with or without a length.
func isAddress(s string) bool {
	a, _, _ := strings.Cut(bare(s), "/")
	_, err := netip.ParseAddr(strings.Trim(a, "[]"))
	return err == nil
}

// isMethods tells whether a token is a method or a list that begins with one.
func isMethods(s string) bool {
	first, _, _ := strings.Cut(s, ",")
	return methods[first] != ""
}

// ipReader reads tokens and keeps the first thing that is wrong.
type ipReader struct {
	ip    IP
	cause string
}

func (r *ipReader) failf(format string, args ...any) {
	if r.cause == "" {
		r.cause = fmt.Sprintf(format, args...)
	}
}

// long reads CLIENT:PEER:GATEWAY:MASK:HOST:NIC:METHOD and what follows. Without
// a method an address is static, as PXELINUX's IPAPPEND has it.
func (r *ipReader) long(tokens []string) {
	t := slices.Clone(tokens)
	for len(t) < 7 {
		t = append(t, "")
	}
	if t[0] != "" {
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

// client reads ADDRESS or ADDRESS/LENGTH. Without a length it is a host's until
// the mask is read.
func (r *ipReader) client(s string) {
	a, length, hasLength := strings.Cut(bare(s), "/")
	addr, err := netip.ParseAddr(strings.Trim(a, "[]"))
	if err != nil || !isHost(addr) {
		r.failf("the client's address %s is none that a machine can have", clip(s))
		return
	}
	bits := addr.BitLen()
	if hasLength {
		n, ok := maskBits(length, addr)
		if !ok {
			r.failf("the length %s is no mask", clip(length))
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

// mask reads a length or a dotted quad. Where there is none it is that of the
// address's class, as in the kernel (net/ipv4/ipconfig.c), or 64 for IPv6.
func (r *ipReader) mask(s string) {
	if !r.ip.Address.IsValid() {
		return
	}
	addr := r.ip.Address.Addr()
	switch {
	case s != "":
		bits, ok := maskBits(s, addr)
		if !ok {
			r.failf("the mask %s is neither a netmask nor a prefix length", clip(s))
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

// peer takes the second token for the other end of a point-to-point link only
// if it has a length or the mask leaves room for nothing else: the kernel and
// PXELINUX have the boot server there.
func (r *ipReader) peer(s string) {
	a, length, hasLength := strings.Cut(bare(s), "/")
	addr, err := netip.ParseAddr(strings.Trim(a, "[]"))
	own := r.ip.Address
	narrow := own.IsValid() && !r.ip.Guessed && own.Addr().BitLen()-own.Bits() <= 1
	switch {
	case s == "":
	case err != nil && hasLength:
		r.failf("the peer %s is no address", clip(s))
	case err != nil: // a server's name
	case hasLength:
		bits, ok := maskBits(length, addr)
		if !ok {
			r.failf("the peer's length %s is no mask", clip(length))
			return
		}
		r.ip.Peer = netip.PrefixFrom(addr, bits)
	case narrow:
		r.ip.Peer = netip.PrefixFrom(addr, addr.BitLen())
	}
}

func (r *ipReader) gateway(s string) {
	if s == "" {
		return
	}
	addr, err := netip.ParseAddr(bare(s))
	switch {
	case err == nil && addr.IsUnspecified(): // PXELINUX without a gateway
	case err != nil || !isHost(addr):
		r.failf("the gateway %s is no address", clip(s))
	default:
		r.ip.Gateway = addr
	}
}

// device reads a NIC's name, or its MAC with hyphens. enx and a MAC is udev's
// name of a NIC that the kernel does not have yet.
func (r *ipReader) device(s string) {
	if mac, ok := parseMAC(s, "-"); ok {
		r.ip.MAC = mac
		return
	}
	if hex, ok := strings.CutPrefix(s, "enx"); ok && len(hex) == 12 {
		if mac, ok := parseMAC(strings.Join(pairs(hex), "-"), "-"); ok {
			r.ip.MAC = mac
			return
		}
	}
	if !isInterface(s) {
		r.failf("%s is no NIC's name", clip(s))
	}
	r.ip.Device = s
}

func pairs(s string) []string {
	var out []string
	for len(s) >= 2 {
		out, s = append(out, s[:2]), s[2:]
	}
	return out
}

// methods reads one or several with commas, or the kernel's dhcp,TYPE,ID.
func (r *ipReader) methods(s string) {
	list := strings.Split(s, ",")
	if len(list) == 3 && methods[list[0]] == DHCP && methods[list[1]] == "" {
		r.ip.Methods, r.ip.ClientID = []Method{DHCP}, list[1]+","+list[2]
		if _, cause := ParseClientID(r.ip.ClientID); cause != "" {
			r.failf("%s", cause)
		}
		return
	}
	for _, one := range list {
		m, ok := methods[one]
		switch {
		case !ok && strings.Contains(one, ":"):
			r.failf("IPv6 stands in brackets")
		case !ok:
			r.failf("%s is no method", clip(one))
		case m == Static && !r.ip.Address.IsValid():
			r.failf("static without an address")
		case len(list) > 1 && (m == Static || m == Off || m == Firmware):
			r.failf("%s does not go together with another method", one)
		}
		if !slices.Contains(r.ip.Methods, m) {
			r.ip.Methods = append(r.ip.Methods, m)
		}
	}
}

// trailing reads [MTU][:MAC], the MAC with colons or hyphens, or
// DNS1[:DNS2[:NTP]].
func (r *ipReader) trailing(t []string) {
	if len(t) == 0 {
		return
	}
	if isAddress(t[0]) || len(t) > 1 && t[0] == "" && isAddress(t[1]) {
		r.servers(t)
		return
	}
	if t[0] != "" {
		n, err := strconv.ParseUint(t[0], 10, 16)
		if err != nil || n < minMTU || n > maxMTU {
			r.failf("%s is neither an MTU nor a name server's address", clip(t[0]))
		}
		r.ip.MTU = int(n)
	}
	if mac := strings.Join(t[1:], ":"); mac != "" {
		sep := ":"
		if len(t) == 2 {
			sep = "-"
		}
		var ok bool
		if r.ip.SetMAC, ok = parseMAC(mac, sep); !ok {
			r.failf("%s is no MAC", clip(mac))
		}
	}
}

func (r *ipReader) servers(t []string) {
	if len(t) > 3 {
		r.failf("%d parts behind the method, want two name servers and a time server at most", len(t))
		return
	}
	if len(t) == 3 {
		r.ip.NTP, t = bare(t[2]), t[:2]
	}
	for _, s := range t {
		if s == "" {
			continue
		}
		addr, err := netip.ParseAddr(bare(s))
		if err != nil || !isPortal(addr) {
			r.failf("%s is no name server's address", clip(s))
			return
		}
		r.ip.DNS = append(r.ip.DNS, addr)
	}
}

// parseMAC reads six bytes in hex and returns them in the kernel's form.
func parseMAC(s, sep string) (string, bool) {
	groups := strings.Split(s, sep)
	if len(groups) != 6 {
		return "", false
	}
	for _, g := range groups {
		if _, err := strconv.ParseUint(g, 16, 8); err != nil || len(g) != 2 {
			return "", false
		}
	}
	return strings.ToLower(strings.Join(groups, ":")), true
}

// isInterface tells whether the kernel takes a NIC's name (net/core/dev.c:
// dev_valid_name).
func isInterface(s string) bool {
	return s != "" && len(s) <= maxInterface && s != "." && s != ".." &&
		!strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == '/' || r == ':' || r >= 0x7f })
}

// ipLine takes one ip= in.
func (ps *parser) ipLine(p cmdline.Param) error {
	ip, cause := ParseIP(p.Value)
	switch n := len(ps.plan.Net.IP); {
	case ps.crowded: // told once is enough
	case cause != "":
		return bad(p, cause, ipForm)
	case n >= maxIPLines:
		ps.crowded = true
		return bad(p, fmt.Sprintf("more than %d lines of %s=", maxIPLines, p.Key), "one for each NIC")
	default:
		ps.plan.Net.IP = append(ps.plan.Net.IP, Value[IP]{ip, nth(source(p), n)})
	}
	return nil
}

// nth tells the lines of a repeated parameter apart, counted from 0.
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
