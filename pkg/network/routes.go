package network

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/vishvananda/netlink"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/network/rtwatch"
)

// addRoutes adds those routes of rd.route= that belong on a link which has its address: those that
// name it, and those that name none if their gateway is in its network, or if boot is set, which
// means that it is the boot's link, and the gateway is in no other link's network. Routes on the
// link come first: a gateway can be behind one.
func addRoutes(n bootspec.Net, link netlink.Link, own netip.Prefix, boot bool) error {
	for _, onLink := range []bool{true, false} {
		for _, v := range n.Routes {
			if v.V.Via.IsValid() == onLink || !goesBy(n, v.V, link, own, boot) {
				continue
			}
			if err := netlink.RouteReplace(routeOf(v.V, link, own)); err != nil {
				return fmt.Errorf("add route %s: %w", v.V, err)
			}
		}
	}
	return nil
}

// goesBy reports whether a route belongs on a link, which it can give by name or MAC. A VLAN has
// the MAC of its parent, so that only hardware, which has no kind (rtnetlink(7): IFLA_INFO_KIND),
// is identified by its MAC.
func goesBy(n bootspec.Net, r bootspec.NetRoute, link netlink.Link, own netip.Prefix, boot bool) bool {
	attrs := link.Attrs()
	switch {
	case strings.Contains(r.Device, ":"):
		mac, err := net.ParseMAC(r.Device)
		return err == nil && link.Type() == "device" && (bytes.Equal(mac, attrs.HardwareAddr) || bytes.Equal(mac, attrs.PermHWAddr))
	case r.Device != "":
		return r.Device == attrs.Name
	case r.Via.IsValid() && own.Contains(r.Via):
		return true
	}
	for _, v := range n.IP {
		if r.Via.IsValid() && v.V.Address.Contains(r.Via) && v.V.Address != own {
			return false
		}
	}
	return boot
}

func routeOf(r bootspec.NetRoute, link netlink.Link, own netip.Prefix) *netlink.Route {
	out := &netlink.Route{LinkIndex: link.Attrs().Index, Dst: rtwatch.IPNet(r.To)}
	if !r.Via.IsValid() {
		out.Scope = netlink.SCOPE_LINK
		return out
	}
	out.Gw = net.IP(r.Via.AsSlice())
	if !own.Contains(r.Via) && !r.Via.IsLinkLocalUnicast() {
		out.Flags = int(netlink.FLAG_ONLINK)
	}
	return out
}
