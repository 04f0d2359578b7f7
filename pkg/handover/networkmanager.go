package handover

import (
	"fmt"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

// networkManager requests NetworkManager's default, in case the system's configuration differs: it
// adopts a configured link as it is (NetworkManager.conf(5), keep-configuration).
//
// Before 1.32.6 there is no such key. Started while udev is still at work on a card, 1.30 does not
// adopt it: it makes a "Wired connection 1", takes the address away and asks DHCP for another one.
// So it is to leave the card alone. Of a version with three numbers only the last may differ; one
// with two means all that follow.
//
// A profile that is activated later, and names no client identifier, gets the lease of the boot
// with that of the boot: NetworkManager's own is another one (nm-settings(5), ipv4.dhcp-client-id).
// dhclient and ifupdown read theirs in the root's /etc alone; the lease file has it.
func networkManager(links []Link) []File {
	var keep, leave strings.Builder
	keep.WriteString("# From iscsiroot: root depends on these links.\n")
	leave.WriteString("# From iscsiroot: root depends on these links, and this version does not know keep-configuration.\n[.config]\nenable=nm-version-min:1.0,except:nm-version-min:1.34,except:nm-version-min:1.32.6\n")
	for i, l := range links {
		section := fmt.Sprintf("[device-iscsiroot-%d]\nmatch-device=mac:%s\n", i, l.MAC)
		keep.WriteString(section + "keep-configuration=yes\n")
		leave.WriteString(section + "managed=0\n")
		if id := clientIdentifier(l); id != "" {
			_, _ = fmt.Fprintf(&keep, "[connection-iscsiroot-%d]\nmatch-device=mac:%s\nipv4.dhcp-client-id=%s\n", i, l.MAC, id)
		}
	}
	const dir = "NetworkManager/conf.d/"
	return []File{
		{Path: dir + "50-iscsiroot.conf", Mode: 0o644, Content: keep.String()},
		{Path: dir + "51-iscsiroot-before-1.32.6.conf", Mode: 0o644, Content: leave.String()},
	}
}

// clientIdentifier is that of the boot's lease, as NetworkManager writes it; "": there is none.
func clientIdentifier(l Link) string {
	switch {
	case dhcp.IsHardwareID(l.ClientID):
		return "mac"
	case l.DHCP && len(l.ClientID) > 0:
		return dhcp.Colons(l.ClientID)
	}
	return ""
}
