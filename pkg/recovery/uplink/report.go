package uplink

import (
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
	"github.com/iscsiroot/iscsiroot/pkg/runstate"
)

// Report writes a line for each uplink: what the boot configured, and the present state.
func (k *Keeper) Report(uplinks []Uplink) string {
	all := k.shown()
	var out runstate.Status
	for i, u := range uplinks {
		v := runstate.LinkStatus{
			Name: all[i].name, MAC: u.MAC, Address: u.Lease.Address, Method: u.Lease.Method, State: runstate.Present, PutBack: all[i].putBack,
			Now: all[i].now, Place: all[i].place,
		}
		switch {
		case all[i].gone:
			v.State = runstate.Removed
		case all[i].lost:
			v.State = runstate.Lost
		}
		if all[i].temporary {
			v.Temporary = u.Lease.Address
		}
		if l := u.Lease; l.Method == dhcp.DHCP4 && l.Lifetime != dhcp.Infinite {
			v.Lease = &runstate.LeaseStatus{Server: l.Server, Obtained: l.Obtained, Renew: l.Obtained + l.Renew, Ends: l.Obtained + l.Lifetime}
		}
		out.Links = append(out.Links, v)
	}
	return out.Lines()
}
