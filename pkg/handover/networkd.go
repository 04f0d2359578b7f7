package handover

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

// networkd adds to each of the root's own .network files that what is configured stays. As it
// starts, networkd drops the addresses of a link that its file does not name (systemd.network(5),
// KeepConfiguration=), and with them the root it runs from. The file itself stays in force: a file
// of ours that matched first would put the administrator's out of it. A link that no file matches
// is left alone by networkd.
//
// The drop-in counts for all links of that file. Keeping what a link has when networkd starts or
// stops, or when its cable is out, harms none of them.
//
// A file that makes its links ports of a bridge or a bond has none: a port that keeps its address
// sends by itself, and the answers arrive at the bridge. The agent moves the address there.
func networkd(f Facts) []File {
	names := slices.Clone(f.Root.Networks)
	for _, id := range f.Root.Netplan {
		names = append(names, netplanFile(id))
	}
	for _, l := range f.Links {
		names = append(names,
			"70-"+l.Name+".network",            // systemd-network-generator(8), from ip= with a name
			netplanFile(l.Name),                // from what cloud-init writes at the first boot
			"10-cloud-init-"+l.Name+".network") // cloud-init itself
	}
	names = append(names, "71-default.network") // systemd-network-generator(8), from ip= without one
	ports := slices.Clone(f.Root.Ports)
	for _, id := range f.Root.NetplanPorts {
		ports = append(ports, netplanFile(id))
	}
	names = slices.DeleteFunc(names, func(name string) bool { return slices.Contains(ports, name) })
	content := "# From iscsiroot: root depends on this network.\n[Network]\nKeepConfiguration=yes\nIgnoreCarrierLoss=yes\n" + ipv6(f.Links) + clientID(f.Links)
	var files []File
	for _, name := range unique(names) {
		files = append(files, File{Path: "systemd/network/" + name + ".d/50-iscsiroot.conf", Mode: 0o644, Content: content})
	}
	return files
}

// udev keeps it from renaming a link that is up, where the kernel refuses that (net/core/dev.c:
// dev_change_name, before 6.2): udev of systemd 252 then leaves the link marked as being renamed,
// and networkd waits for the end of that without limit. A link file of the administrator's is read
// before this one.
//
// VLANs and others on the link have its MAC, and another type. By OriginalName= too, udev warns of
// a name that the kernel chose (src/udev/net/link-config.c: link_get_config, "potentially
// unpredictable interface name"); a link that the boot made has a name that it chose.
func udev(f Facts) []File {
	if !f.NamesStay {
		return nil
	}
	var files []File
	for _, l := range f.Links {
		match := "Type=ether"
		if l.Made {
			match = "OriginalName=" + l.Name
		}
		files = append(files, File{
			Path: "systemd/network/98-iscsiroot-" + l.Name + ".link", Mode: 0o644,
			Content: fmt.Sprintf("# From iscsiroot: this kernel renames no link that is up.\n[Match]\nMACAddress=%s\n%s\n\n"+
				"[Link]\nNamePolicy=\nAlternativeNamesPolicy=database onboard slot path\nMACAddressPolicy=none\n", l.MAC, match),
		})
	}
	return files
}

// ipv6 keeps IPv6 where root needs it: with LinkLocalAddressing=no and no IPv6 address of its own
// networkd writes 1 to the link's disable_ipv6, and it takes router advertisements away from the
// kernel: with IPv6AcceptRA=no the address and the route that came by them run out.
func ipv6(links []Link) string {
	for _, l := range links {
		if !slices.ContainsFunc(l.Addresses, func(p netip.Prefix) bool { return p.Addr().Is6() }) {
			continue
		}
		if l.Router {
			return "LinkLocalAddressing=ipv6\nIPv6AcceptRA=yes\n"
		}
		return "LinkLocalAddressing=ipv6\n"
	}
	return ""
}

// clientID has networkd request the lease that the boot got: with another client identifier the
// server gives another address. RFC 4361 6.1: type 255, the IAID, and a DUID; the boot's is a
// DUID-LL (RFC 8415 11.4), which networkd makes from the link's own address. With several leased
// links one IAID cannot be right for all, and networkd's own stays.
func clientID(links []Link) string {
	const iaidAt, duidAt = 1, 5
	ids := clientIDs(links)
	if len(ids) > 0 && !slices.ContainsFunc(ids, func(id []byte) bool { return !dhcp.IsHardwareID(id) }) {
		return "[DHCPv4]\nClientIdentifier=mac\n"
	}
	if len(ids) != 1 {
		return ""
	}
	if id := ids[0]; len(id) > duidAt+2 && id[0] == 255 && id[duidAt] == 0 && id[duidAt+1] == 3 {
		return fmt.Sprintf("[DHCPv4]\nClientIdentifier=duid\nDUIDType=link-layer\nIAID=%d\n", binary.BigEndian.Uint32(id[iaidAt:duidAt]))
	}
	return ""
}

// clientIDs are those of the leased links.
func clientIDs(links []Link) [][]byte {
	var out [][]byte
	for _, l := range links {
		if l.DHCP {
			out = append(out, l.ClientID)
		}
	}
	return out
}
