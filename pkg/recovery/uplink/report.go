package uplink

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

// Report writes a line for each uplink: what the boot gave, and what there is now.
func (k *Keeper) Report(uplinks []Uplink) string {
	all := k.shown()
	var b strings.Builder
	for i, u := range uplinks {
		state := "there"
		switch {
		case all[i].gone:
			state = "gone"
		case all[i].lost:
			state = "lost"
		}
		_, _ = fmt.Fprintf(&b, "link %s mac %s address %s by %s state %s put-back %d",
			all[i].name, u.MAC, u.Lease.Address, u.Lease.Method, state, all[i].putBack)
		if all[i].now != nil {
			b.WriteString(" now " + joined(all[i].now))
		}
		if all[i].place != "" {
			b.WriteString(" place " + all[i].place)
		}
		if all[i].beside {
			b.WriteString(" temporary " + u.Lease.Address.String())
		}
		b.WriteByte('\n')
		if l := u.Lease; l.Method == dhcp.DHCP4 && l.Lifetime != dhcp.Infinite {
			_, _ = fmt.Fprintf(&b, "lease %s from %s since %d renew %d ends %d\n", all[i].name, l.Server,
				int(l.Obtained.Seconds()), int((l.Obtained + l.Renew).Seconds()), int((l.Obtained + l.Lifetime).Seconds()))
		}
	}
	return b.String()
}

// joined writes addresses with commas; "-": there is none.
func joined(list []netip.Prefix) string {
	if len(list) == 0 {
		return "-"
	}
	var out []string
	for _, p := range list {
		out = append(out, p.String())
	}
	return strings.Join(out, ",")
}
