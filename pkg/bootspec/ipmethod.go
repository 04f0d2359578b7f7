package bootspec

import (
	"slices"
	"strings"
)

// methods are the words of all dialects. The kernel's any and both are DHCP here, because BOOTP and
// RARP are not supported. The kernel reads dhcp4 as dhcp (net/ipv4/ipconfig.c: ic_proto_name).
// klibc's ipconfig has all, and down, which brings nothing up.
var methods = map[string]Method{
	"dhcp": DHCP, "dhcp4": DHCP, "on": DHCP, "any": DHCP, "all": DHCP, "auto": DHCP, "both": DHCP, "bootp": DHCP, "single-dhcp": DHCP,
	"dhcp6": DHCP6, "auto6": Auto6, "either6": Either6, "link6": LinkLocal, "link-local": LinkLocal,
	"ibft": Firmware, "fw": Firmware, "none": Off, "off": Off, "down": Off, "static": Static,
}

// rarp is a method of the kernel and of klibc that is not supported.
const rarp = "rarp"

// isMethods reports whether a token is a method or a list that begins with one.
func isMethods(s string) bool {
	first, _, _ := strings.Cut(strings.ToLower(s), ",")
	return methods[first] != "" || first == rarp
}

// methods reads one or several with commas, or the kernel's dhcp,TYPE,ID.
func (r *ipReader) methods(s string) {
	list := strings.Split(s, ",")
	if len(list) == 3 && methods[strings.ToLower(list[0])] == DHCP && !isMethods(list[1]) {
		r.ip.Methods, r.ip.ClientID = []Method{DHCP}, list[1]+","+list[2]
		if _, cause := ParseClientID(r.ip.ClientID); cause != "" {
			r.failf("%s", cause)
		}
		return
	}
	for _, one := range list {
		m := r.method(one)
		if len(list) > 1 && (m == Static || m == Off || m == Firmware) {
			r.failf("%s cannot be combined with another method", show(one))
		}
		if !slices.Contains(r.ip.Methods, m) {
			r.ip.Methods = append(r.ip.Methods, m)
		}
	}
}

// method reads one. Static without an address is klibc's synonym of none; with a NIC it selects the
// NIC for the address of iscsi_i_ip=.
func (r *ipReader) method(s string) Method {
	word := strings.ToLower(s)
	m, ok := methods[word]
	switch {
	case word == rarp:
		r.failf("RARP is not supported: use dhcp")
	case !ok && strings.Contains(s, ":"):
		r.failf("write IPv6 in brackets")
	case !ok:
		r.failf("%s is not a method", show(s))
	case m == Static && !r.ip.Address.IsValid() && r.ip.Device == "" && r.ip.MAC == "":
		return Off
	}
	return m
}

// bareNIC reads a NIC's name without a method, which means DHCP on that NIC. The kernel's and
// udev's names contain a number; a word without one is a mistyped method, and so is a word that
// differs from a method in one letter.
func (r *ipReader) bareNIC(s string) {
	if !isBootNIC(s) && !looksLikeNIC(s) {
		r.failf("%s is not a method: for a NIC of that name write %s:dhcp", show(s), show(s))
		return
	}
	r.device(s)
	r.ip.Methods = []Method{DHCP}
}

// looksLikeNIC distinguishes a NIC's name from a mistyped method or address.
func looksLikeNIC(s string) bool {
	if _, ok := readMAC(bare(s)); ok {
		return true
	}
	for word := range methods {
		if distance(strings.ToLower(s), word, 2) < 2 {
			return false
		}
	}
	return isInterface(s) && !strings.Contains(s, ",") && strings.ContainsAny(s, "0123456789") && strings.Trim(s, "0123456789.") != ""
}
