package handover

import (
	"io/fs"
	"net"
	"net/netip"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
	"github.com/iscsiroot/iscsiroot/pkg/runstate"
)

// Link is a NIC that carries a session of root's.
type Link struct {
	Name      string           // the kernel's name in the initramfs; the real system may rename it
	MAC       net.HardwareAddr // what files match by
	Made      bool             // by the boot: a VLAN, a bond or a bridge
	Addresses []netip.Prefix
	DHCP      bool   // the addresses are leased
	Router    bool   // an IPv6 address, or its default route, came from router advertisements
	ClientID  []byte // RFC 2132 option 61 as it was sent, with its type; nil: none
}

// Root is what Survey found in the real system.
type Root struct {
	Networks     []string    // base names of systemd-networkd's .network files
	Ports        []string    // the same of those that make their links ports of a bridge or a bond
	Netplan      []string    // ids of netplan's Ethernet definitions
	NetplanPorts []string    // ids of members of netplan's bridges and bonds
	Interfaces   []Interface // ifupdown's, with static addresses
}

// Facts is what the files are made of.
type Facts struct {
	Links    []Link
	Others   []Link       // NICs that the command line names, without a session: the system's own
	Leases   []dhcp.Lease // in the order in which they count
	Sessions []runstate.Session
	Root     Root
	// NamesStay is set if the kernel refuses to rename a link that is up.
	NamesStay bool
	// Program is what stays in /run and is run when the real system begins to shut down;
	// ShutdownTimeout for how long that may wait for a root disk without a target, 0: no limit.
	Program         string
	ShutdownTimeout time.Duration
}

// File is a file to write below /run.
type File struct {
	Path    string // below /run, without it
	Mode    fs.FileMode
	Content string
}

// Files returns what the managers are to find. The order is fixed, so that the same facts give the
// same files.
func Files(f Facts) []File {
	files := append(sessions(f), leases(f.Leases)...)
	files = append(files, systemd(f)...)
	if len(f.Links) == 0 {
		return files
	}
	files = append(files, udev(f)...)
	files = append(files, networkd(f)...)
	files = append(files, netplan(f.Root)...)
	files = append(files, networkManager(f.Links)...)
	return append(files, ifupdown(f)...)
}
