package netup

import (
	"cmp"
	"net/netip"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

// Name sets the host name, and writes the servers and domains of the leases to /etc/resolv.conf for
// other programs. The boot does not depend on either.
func (s *Stage) Name(leases []dhcp.Lease) {
	name := s.Plan.Net.HostName.V
	for _, l := range leases {
		name = cmp.Or(name, l.HostName)
	}
	if name != "" {
		if err := unix.Sethostname([]byte(name)); err != nil {
			s.Log.Debugf("host name %s: %v", name, err)
		}
	}
	var servers []netip.Addr
	if s.Plan.Net.PeerDNS.Or(true) {
		servers = bootspec.LeaseFacts(leases...).Nameservers
	}
	conf := resolverConf(searchDomains(leases), servers)
	_, err := os.Stat("/etc/resolv.conf")
	if !s.resolvConf && (err == nil || conf == "") {
		return // the image has its own, or there is none to write
	}
	s.resolvConf = true // written again when a NIC is dropped, even if nothing is left
	if err := os.WriteFile("/etc/resolv.conf", []byte(conf), 0o644); err != nil {
		s.Log.Debugf("%v", err)
	}
}

// searchDomains lists the domains of leases in which names are looked up, each once.
func searchDomains(leases []dhcp.Lease) []string {
	var out []string
	for _, l := range leases {
		domains := l.Search
		if l.Domain != "" && !slices.Contains(domains, l.Domain) {
			domains = slices.Concat([]string{l.Domain}, domains)
		}
		for _, d := range domains {
			if !slices.Contains(out, d) {
				out = append(out, d)
			}
		}
	}
	return out
}

// resolverConf is a resolver's configuration (resolv.conf(5)).
func resolverConf(search []string, servers []netip.Addr) string {
	conf := ""
	if len(search) > 0 {
		conf = "search " + strings.Join(search, " ") + "\n"
	}
	for _, s := range servers {
		conf += "nameserver " + s.String() + "\n"
	}
	return conf
}
