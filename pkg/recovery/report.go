package recovery

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

// StatusFile is where the agent writes how the sessions and the network are, for
// iscsiroot status. No secret is in it.
const StatusFile = runDir + "/" + statusName

// The agent's files. leasePrefix begins the names of package handover's files of
// leases; the interface's name follows.
const (
	runDir      = "/run/iscsiroot"
	statusName  = "status"
	leasePrefix = "lease-"
)

// reportSessions writes a line for each session, and one for what is wrong.
func reportSessions(all []Status) string {
	var b strings.Builder
	for _, s := range all {
		state := "up"
		switch {
		case s.Ended:
			state = "ended"
		case !s.Up:
			state = "down"
		}
		owner := "iscsiroot"
		if s.Passive {
			owner = "iscsid"
		}
		_, _ = fmt.Fprintf(&b, "session %d target %s state %s owner %s outages %d longest %.1f down %.1f\n",
			s.SID, s.Name, state, owner, s.Outages, s.Longest.Seconds(), s.Down.Seconds())
		if s.NotBefore > 0 {
			_, _ = fmt.Fprintf(&b, "session %d waits %.1f\n", s.SID, s.NotBefore.Seconds())
		}
		for _, p := range s.Portals {
			_, _ = fmt.Fprintf(&b, "session %d portal %s\n", s.SID, p)
		}
		for _, cause := range []string{s.Cause, s.LastErr} {
			if cause != "" {
				_, _ = fmt.Fprintf(&b, "session %d cause %q\n", s.SID, cause)
			}
		}
	}
	return b.String()
}

// report writes a line for each uplink: what the boot gave, and what there is now.
func (k *keeper) report(uplinks []Uplink) string {
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
