package bootspec

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// trailing reads [MTU][:MAC], the MAC with colons or hyphens, or the kernel's DNS1[:DNS2[:NTP]],
// any of which may be empty.
func (r *ipReader) trailing(t []string) {
	for len(t) > 0 && t[len(t)-1] == "" {
		t = t[:len(t)-1]
	}
	first := slices.IndexFunc(t, func(s string) bool { return s != "" })
	if first < 0 {
		return
	}
	if first < 3 && isAddress(t[first]) {
		r.servers(t)
		return
	}
	if t[0] != "" {
		n, err := strconv.ParseUint(t[0], 10, 16)
		if err != nil || n < minMTU || n > maxMTU {
			r.failf("%s is neither an MTU nor a name server's address", show(t[0]))
		}
		r.ip.MTU = int(n)
	}
	if mac := strings.Join(t[1:], ":"); mac != "" {
		var ok bool
		if r.ip.SetMAC, ok = parseMAC(strings.ReplaceAll(mac, "-", ":")); !ok {
			r.failf("%s is not a MAC", show(mac))
		}
	}
}

func (r *ipReader) servers(t []string) {
	if len(t) > 3 {
		r.failf("%d parts after the method, want at most two name servers and a time server", len(t))
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
			r.failf("%s is not a name server address", show(s))
			return
		}
		r.ip.DNS = append(r.ip.DNS, addr)
	}
}
