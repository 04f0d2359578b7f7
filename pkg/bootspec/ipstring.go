package bootspec

import (
	"net/netip"
	"strconv"
	"strings"
)

// String writes the line so that ParseIP reads the same.
func (ip IP) String() string {
	device := ip.Device
	if ip.MAC != "" {
		device = strings.ReplaceAll(ip.MAC, ":", "-")
	}
	var words []string
	for _, m := range ip.Methods {
		words = append(words, string(m))
	}
	method := strings.Join(words, ",")
	if ip.ClientID != "" {
		method += "," + ip.ClientID
	}
	var t []string
	switch short := !ip.Address.IsValid() && !ip.Gateway.IsValid() && !ip.Peer.IsValid() && ip.HostName == ""; {
	case short && device == "" && ip.tail() == "":
		return method
	case short && device != "":
		t = []string{device, method}
	default:
		t = []string{bracket(ip.Address), bracket(ip.Peer), "", "", ip.HostName, device, method}
		if ip.Gateway.IsValid() {
			t[2] = bracketAddr(ip.Gateway)
		}
	}
	return strings.Join(t, ":") + ip.tail()
}

// tail returns what follows the method.
func (ip IP) tail() string {
	out := ""
	if len(ip.DNS) > 0 || ip.NTP != "" {
		t := []string{"", ""}
		for i, d := range ip.DNS {
			t[i] = bracketAddr(d)
		}
		out = ":" + strings.Join(t, ":")
		if ip.NTP != "" {
			ntp := ip.NTP
			if strings.Contains(ntp, ":") {
				ntp = "[" + ntp + "]"
			}
			out += ":" + ntp
		}
		return out
	}
	if ip.MTU != 0 {
		out = ":" + strconv.Itoa(ip.MTU)
	}
	if ip.SetMAC != "" {
		if out == "" {
			out = ":"
		}
		out += ":" + ip.SetMAC
	}
	return out
}

func bracketAddr(a netip.Addr) string {
	if a.Is6() {
		return "[" + a.String() + "]"
	}
	return a.String()
}

func bracket(p netip.Prefix) string {
	switch {
	case !p.IsValid():
		return ""
	case p.Addr().Is6():
		return "[" + p.String() + "]"
	}
	return p.String()
}
