package handover

import (
	"net/netip"
	"slices"
	"strings"
)

// ifupdown prevents ifupdown from taking the links down. Its two services have no stop command any
// more: it would take the links down, and run-parts, its next program, is on the root behind them.
// A DHCP client that they started goes on beside it. Started again, ifup finds its state file and
// does nothing to a link that is up. ifdown by hand still works; the agent then restores the
// address.
//
// An interface whose definition has the address that the boot gave, with a session or without, is
// up already: ifup would fail to add it once more. So it stands in ifup's state file, which is what
// Debian's open-iscsi does for the link of its initramfs. A bridge or a bond is not: ifup has to
// make it, and the agent moves the address there when the link is its port.
func ifupdown(f Facts) []File {
	const content = "# From iscsiroot: root depends on the network, which must stay up.\n[Service]\nExecStop=\nKillMode=process\n"
	files := []File{
		{Path: "systemd/system/networking.service.d/50-iscsiroot.conf", Mode: 0o644, Content: content},
		{Path: "systemd/system/ifup@.service.d/50-iscsiroot.conf", Mode: 0o644, Content: content},
	}
	up := ""
	for _, i := range f.Root.Interfaces {
		if !i.Master && slices.ContainsFunc(slices.Concat(f.Links, f.Others), func(l Link) bool { return l.has(i.Address) }) {
			up += i.Name + "=" + i.Name + "\n"
		}
	}
	if up != "" {
		files = append(files, File{Path: "network/ifstate", Mode: 0o644, Content: up})
	}
	return files
}

// has reports whether the link has the address, with any mask.
func (l Link) has(a netip.Addr) bool {
	return slices.ContainsFunc(l.Addresses, func(p netip.Prefix) bool { return p.Addr() == a })
}

// Interface is a static definition in ifupdown's files, interfaces(5).
type Interface struct {
	Name    string
	Address netip.Addr
	Master  bool // it is a bridge or a bond, which ifup makes
}

// masterOptions name the ports of what is made (bridge-utils-interfaces(5), ifenslave's
// README.Debian).
var masterOptions = []string{"bridge_ports", "bridge-ports", "bond-slaves", "bond_slaves", "slaves"}

// interfaces finds the definitions with an address in the text of a file. A line that ends in a
// backslash goes on in the next one.
func interfaces(text string) []Interface {
	var out []Interface
	name, master, from := "", false, 0 // the definition that the lines belong to, and where in out it begins
	text = strings.ReplaceAll(text, "\\\n", " ")
	for line := range strings.SplitSeq(text, "\n") {
		f := strings.Fields(line)
		switch {
		case len(f) == 0 || f[0][0] == '#':
		case f[0] == "iface" && len(f) >= 4 && f[3] == "static" && plain(f[1]):
			name, master, from = f[1], false, len(out)
		case slices.Contains([]string{"iface", "auto", "mapping", "source", "source-directory", "rename"}, f[0]) || strings.HasPrefix(f[0], "allow-"):
			name = ""
		case name != "" && slices.Contains(masterOptions, f[0]):
			master = true
			for i := range out[from:] {
				out[from+i].Master = true
			}
		case f[0] == "address" && len(f) >= 2 && name != "" && len(out) < maxFiles:
			text, _, _ := strings.Cut(f[1], "/")
			if a, err := netip.ParseAddr(text); err == nil {
				out = append(out, Interface{name, a, master})
			}
		}
	}
	return out
}
