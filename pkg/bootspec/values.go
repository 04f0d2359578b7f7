package bootspec

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/words"
)

// maxName is the longest iSCSI name in bytes (RFC 7143 section 4.2.7.1).
const maxName = 223

// #define IFNAMSIZ 16   (include/uapi/linux/if.h), with the NUL
const maxInterface = 15

func bad(p cmdline.Param, cause, write string) error {
	p.Value = Redact(p.Value)
	return &ParamError{Param: p, Cause: cause, Write: write}
}

// tooMany returns the error of a valid value that exceeds a limit.
func tooMany(p cmdline.Param, cause, write string) error {
	p.Value = Redact(p.Value)
	return &ParamError{Param: p, Cause: cause, Write: write, limit: true}
}

// otherProtocol returns the error of a root of another protocol.
func otherProtocol(p cmdline.Param, cause, write string) error {
	p.Value = Redact(p.Value)
	return &ParamError{Param: p, Cause: cause, Write: write, other: true}
}

func (ps *parser) initiator(p cmdline.Param) error {
	if p.Key == "InitiatorName" && p.Value == "default" {
		return nil // SUSE mkinitrd's: not the firmware's, but that of the image
	}
	return ps.name(&ps.plan.Initiator, p)
}

func (ps *parser) targetName(p cmdline.Param) error {
	return ps.name(&ps.target().Name, p)
}

// notInName reports whether a character is not allowed in an iSCSI name or a root path: a blank, a
// control character, or invalid UTF-8.
func notInName(r rune) bool { return words.IsBlankOrControl(r) || r == utf8.RuneError }

// name reads an iSCSI name and refuses what no peer accepts. Another type than iqn., eui. and naa.
// is only a warning, because a target may be configured with it.
func (ps *parser) name(dst *Value[string], p cmdline.Param) error {
	const form = "a name such as iqn.2007-01.com.example:server.remote1"
	switch name := p.Value; {
	case name == "":
		return bad(p, "the name is empty", form)
	case len(name) > maxName:
		return bad(p, "the name has more than 223 bytes", form)
	case strings.ContainsFunc(name, notInName):
		return bad(p, "the name has a blank or a control character", form)
	case !hasNameType(name) && strings.Contains(name, "@"):
		return bad(p, "an iSCSI name cannot contain a user and a secret", form)
	case !hasNameType(name):
		ps.warnf("%s=%s is not an iSCSI name: it should begin with iqn., eui. or naa.", p.Key, show(name))
	}
	set(ps, dst, p.Value, p)
	return nil
}

// hasNameType reports whether a text begins as an iSCSI name does (RFC 7143 section 4.2.7). Other
// texts may be a user and a secret before a name.
func hasNameType(s string) bool {
	return strings.HasPrefix(s, "iqn.") || strings.HasPrefix(s, "eui.") || strings.HasPrefix(s, "naa.")
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
		return bad(p, "not a host address", form)
	}
	bits, ok := maskBits(m, addr)
	if !ok {
		return bad(p, "the mask is neither a netmask nor a prefix length", form)
	}
	set(ps, &ps.plan.Net.Address, netip.PrefixFrom(addr, bits), p)
	return nil
}

// maskBits reads a mask as prefix length or, for IPv4, as dotted quad without holes.
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

// iface reads a NIC's name, its MAC, or the address of its PCI device.
func (ps *parser) iface(p cmdline.Param) error {
	if mac, ok := readMAC(p.Value); ok {
		set(ps, &ps.plan.Net.Interface, mac, p) // chooseNIC distinguishes it from a name
		return nil
	}
	if p.Value == "" || len(p.Value) > maxInterface || strings.ContainsAny(p.Value, "/ \t@") {
		return bad(p, "this is not an interface name", "a name of at most 15 bytes such as eth0, a MAC, or a PCI address such as 0000:00:03.0")
	}
	set(ps, &ps.plan.Net.Interface, p.Value, p)
	return nil
}

func (ps *parser) gateway(p cmdline.Param) error {
	addr, err := netip.ParseAddr(p.Value)
	if err != nil || addr.Zone() != "" || addr.Is4In6() || addr.IsUnspecified() || addr.IsMulticast() || addr.IsLoopback() {
		return bad(p, "this is not a gateway address", "an IP address such as 10.1.1.1")
	}
	set(ps, &ps.plan.Net.Gateway, addr, p)
	return nil
}

// portal reads the addresses of a target, which may be host names. Debian's list is separated by
// blanks.
func (ps *parser) portal(p cmdline.Param) error {
	const form = "an IP address such as 10.1.1.180 or a host name, several with commas, with iscsi_p=PORT if the port is not 3260"
	var addrs []Value[Portal]
	for one := range strings.SplitSeq(strings.Join(strings.Fields(p.Value), ","), ",") {
		portal, ok := parsePortal(one)
		if !ok || len(addrs) == maxPortals {
			return bad(p, "this is not the address of a portal", form)
		}
		addrs = append(addrs, Value[Portal]{portal, source(p)})
	}
	d := ps.target()
	if len(d.addrs) > 0 && !slices.EqualFunc(d.addrs, addrs, func(a, b Value[Portal]) bool { return a.V == b.V }) {
		ps.twice(d.addrs[0].From, p)
	}
	d.addrs = addrs
	return nil
}

func (ps *parser) nameserver(p cmdline.Param) error {
	addr, err := netip.ParseAddr(strings.Trim(p.Value, "[]"))
	if err != nil || !isPortal(addr) {
		return bad(p, "this is not the address of a name server", "an IP address such as 10.1.1.1")
	}
	n := &ps.plan.Net.Nameservers
	*n = append(*n, Value[netip.Addr]{addr, source(p)})
	return nil
}

func (ps *parser) port(p cmdline.Param) error {
	n, err := strconv.ParseUint(p.Value, 10, 16)
	if err != nil || n == 0 {
		return bad(p, "this is not a TCP port", "a number from 1 to 65535")
	}
	set(ps, &ps.target().port, uint16(n), p)
	return nil
}

func (ps *parser) group(p cmdline.Param) error {
	n, err := strconv.ParseUint(p.Value, 10, 16)
	if err != nil {
		return bad(p, "this is not a target portal group tag", "a number from 0 to 65535")
	}
	set(ps, &ps.target().Group, uint16(n), p)
	return nil
}

func (ps *parser) lun(p cmdline.Param) error {
	lun, err := iscsi.ParseLUN(p.Value)
	if err != nil {
		return bad(p, "this is not a LUN", "a number such as 0, 0x10 for one in hex, or groups of hex digits such as 4752-3a4f")
	}
	set(ps, &ps.target().LUN, lun, p)
	return nil
}

// limitForm is the form of a time limit.
const limitForm = "a number of seconds, 0 for no limit"

func (ps *parser) timeout(p cmdline.Param) error {
	return ps.seconds(&ps.plan.Policy.Timeout, p, limitForm)
}

func (ps *parser) shutdownTimeout(p cmdline.Param) error {
	return ps.seconds(&ps.plan.Policy.ShutdownTimeout, p, limitForm)
}

func (ps *parser) emergency(p cmdline.Param) error {
	switch e := Emergency(p.Value); e {
	case Reboot, PowerOff, Halt:
		set(ps, &ps.plan.Policy.Emergency, e, p)
		return nil
	}
	return bad(p, "unknown action", "reboot, poweroff or halt")
}

// show returns a value as a message may repeat it: redacted and short.
func show(s string) string { return clip(Redact(s)) }

// showName returns an iSCSI name as a message may repeat it.
func showName(s string) string { return clip(redactName(s)) }

// showWord returns a whole word as a message may repeat it.
func showWord(p cmdline.Param) string {
	p.Value = Redact(p.Value)
	return clip(p.String())
}

// clip shortens a text for a message.
func clip(s string) string {
	if len(s) > 100 {
		return s[:100] + "..."
	}
	return s
}
