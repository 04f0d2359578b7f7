package bootspec

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// maxName is the longest iSCSI name in bytes (RFC 7143 section 4.2.7.1).
const maxName = 223

// maxLUN is the largest flat-space LUN (SAM-5 4.7.7.3: 14 bits).
const maxLUN = 1<<14 - 1

func bad(p cmdline.Param, cause, write string) error {
	return &ParamError{p, cause, write}
}

func (ps *parser) initiator(p cmdline.Param) error {
	return ps.name(&ps.plan.Initiator, p)
}

func (ps *parser) target(p cmdline.Param) error {
	return ps.name(&ps.plan.Target.Name, p)
}

// name checks an iSCSI name for what no peer accepts; an unusual type is only
// a warning, because targets take what they were configured with.
func (ps *parser) name(dst *Value[string], p cmdline.Param) error {
	const form = "a name such as iqn.2007-01.com.example:server.remote1"
	switch name := p.Value; {
	case name == "":
		return bad(p, "the name is empty", form)
	case len(name) > maxName:
		return bad(p, "the name has more than 223 bytes", form)
	case strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == 0x7f || r == 0xfffd }):
		return bad(p, "the name has a blank or a control character", form)
	case !strings.HasPrefix(name, "iqn.") && !strings.HasPrefix(name, "eui.") && !strings.HasPrefix(name, "naa."):
		ps.warnf("%s=%s is no iSCSI name: it should begin with iqn., eui. or naa.", p.Key, clip(name))
	}
	set(ps, dst, p.Value, p)
	return nil
}

func (ps *parser) address(p cmdline.Param) error {
	const form = "ADDRESS/MASK, such as 10.1.1.165/255.255.255.192 or 10.1.1.165/26"
	a, m, ok := strings.Cut(p.Value, "/")
	if !ok {
		return bad(p, "the mask is missing", form)
	}
	addr, err := netip.ParseAddr(a)
	if err != nil || addr.Zone() != "" || addr.Is4In6() {
		return bad(p, "the address is not an IP address", form)
	}
	if addr.IsUnspecified() || addr.IsMulticast() || addr.IsLoopback() {
		return bad(p, "no machine can have this address", form)
	}
	bits, ok := maskBits(m, addr)
	if !ok {
		return bad(p, "the mask is neither a netmask nor a prefix length", form)
	}
	set(ps, &ps.plan.Net.Address, netip.PrefixFrom(addr, bits), p)
	return nil
}

// maskBits reads a mask as prefix length or, for IPv4, as dotted quad without
// holes.
func maskBits(mask string, addr netip.Addr) (int, bool) {
	if n, err := strconv.ParseUint(mask, 10, 8); err == nil {
		return int(n), n >= 1 && int(n) <= addr.BitLen()
	}
	m, err := netip.ParseAddr(mask)
	if err != nil || !m.Is4() || !addr.Is4() {
		return 0, false
	}
	b := m.As4()
	v := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	n := 0
	for n < 32 && v&(1<<(31-n)) != 0 {
		n++
	}
	return n, n > 0 && v<<n == 0
}

func (ps *parser) iface(p cmdline.Param) error {
	// #define IFNAMSIZ 16   (include/uapi/linux/if.h), with the NUL
	if p.Value == "" || len(p.Value) > 15 || strings.ContainsAny(p.Value, "/ \t") {
		return bad(p, "this is no interface name", "a name of at most 15 bytes such as eth0")
	}
	set(ps, &ps.plan.Net.Interface, p.Value, p)
	return nil
}

func (ps *parser) gateway(p cmdline.Param) error {
	addr, err := netip.ParseAddr(p.Value)
	if err != nil || addr.Zone() != "" || addr.Is4In6() || addr.IsUnspecified() || addr.IsMulticast() || addr.IsLoopback() {
		return bad(p, "this is no gateway's address", "an IP address such as 10.1.1.1")
	}
	set(ps, &ps.plan.Net.Gateway, addr, p)
	return nil
}

func (ps *parser) portal(p cmdline.Param) error {
	const form = "an IP address such as 10.1.1.180, with iscsi_p=PORT if the port is not 3260"
	addr, port, ok := splitPortal(p.Value)
	if !ok || addr.Is4In6() || addr.IsUnspecified() || addr.IsMulticast() {
		return bad(p, "this is not the IP address of a portal", form)
	}
	ps.addrPort = Value[uint16]{}
	if port != 0 {
		ps.addrPort = Value[uint16]{port, source(p)}
	}
	set(ps, &ps.addr, addr, p)
	return nil
}

// splitPortal reads ADDRESS, [ADDRESS], ADDRESS:PORT and [ADDRESS]:PORT, the
// brackets around IPv6 alone, as RFC 7143 section 13.8 writes a portal. The
// port is 0 where there is none.
func splitPortal(s string) (addr netip.Addr, port uint16, ok bool) {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr(), ap.Port(), ap.Port() != 0
	}
	inner, open := strings.CutPrefix(s, "[")
	inner, shut := strings.CutSuffix(inner, "]")
	addr, err := netip.ParseAddr(inner)
	return addr, 0, err == nil && open == shut && (!open || addr.Is6())
}

func (ps *parser) port(p cmdline.Param) error {
	n, err := strconv.ParseUint(p.Value, 10, 16)
	if err != nil || n == 0 {
		return bad(p, "this is no TCP port", "a number from 1 to 65535")
	}
	set(ps, &ps.portnum, uint16(n), p)
	return nil
}

func (ps *parser) group(p cmdline.Param) error {
	n, err := strconv.ParseUint(p.Value, 10, 16)
	if err != nil {
		return bad(p, "this is no target portal group tag", "a number from 0 to 65535")
	}
	set(ps, &ps.plan.Target.Group, uint16(n), p)
	return nil
}

func (ps *parser) lun(p cmdline.Param) error {
	digits, base := p.Value, 10
	if h, ok := strings.CutPrefix(digits, "0x"); ok {
		digits, base = h, 16
	}
	n, err := strconv.ParseUint(digits, base, 16)
	if err != nil || n > maxLUN {
		return bad(p, "this is no LUN", "a number from 0 to 16383")
	}
	set(ps, &ps.plan.Target.LUN, uint16(n), p)
	return nil
}

func (ps *parser) timeout(p cmdline.Param) error {
	n, err := strconv.ParseUint(p.Value, 10, 31)
	if err != nil {
		return bad(p, "this is no time", "a number of seconds, 0 for no limit")
	}
	set(ps, &ps.plan.Policy.Timeout, time.Duration(n)*time.Second, p)
	return nil
}

func (ps *parser) emergency(p cmdline.Param) error {
	switch e := Emergency(p.Value); e {
	case Reboot, PowerOff, Halt:
		set(ps, &ps.plan.Policy.Emergency, e, p)
		return nil
	}
	return bad(p, "unknown action", "reboot, poweroff or halt")
}

// clip cuts what a message repeats of a value.
func clip(s string) string {
	if len(s) > 100 {
		return s[:100] + "..."
	}
	return s
}
