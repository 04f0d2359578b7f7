package handover

import (
	"net"
	"slices"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
	"github.com/iscsiroot/iscsiroot/pkg/runstate"
)

// leases writes each address down as it was got: in our own form (package runstate), and in those
// that Debian's scripts and cloud-init read. The first of each kind that a device has counts. No
// secret is in them.
func leases(list []dhcp.Lease) []File {
	var files []File
	add := func(path, content string) {
		if !slices.ContainsFunc(files, func(f File) bool { return f.Path == path }) {
			files = append(files, File{Path: path, Mode: 0o644, Content: content})
		}
	}
	for _, l := range list {
		add(stateFile(runstate.LeaseName(l)), runstate.FormatLease(l))
		if l.V6() {
			add("net6-"+l.Interface+".conf", l.Net6Conf())
		} else {
			add("net-"+l.Interface+".conf", l.NetConf(l.Obtained))
		}
	}
	return files
}

// AddLease adds an address to that of the links which is its own, or adds one.
func AddLease(links []Link, mac net.HardwareAddr, l dhcp.Lease) []Link {
	i := slices.IndexFunc(links, func(k Link) bool { return k.Name == l.Interface })
	if i < 0 {
		i = len(links)
		links = append(links, Link{Name: l.Interface, MAC: mac})
	}
	if l.Address.IsValid() {
		links[i].Addresses = append(links[i].Addresses, l.Address)
	}
	if l.Method == dhcp.DHCP4 {
		links[i].DHCP, links[i].ClientID = true, slices.Clone(l.ClientID)
	}
	if l.Method == dhcp.DHCP6Info || l.Method == dhcp.DHCP6 { // the route is the router's, with either
		links[i].Router = true
	}
	return links
}
